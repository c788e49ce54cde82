// Filtering on a lattice: splat, blur, slice, for rows of channels.
//
// Where several threads work, each has a range of pixels and a range of vertices. To splat, they gather: a vertex
// sums over its pixels in their order, as it does when a single thread scatters, so results do not depend on the
// number of threads.
#pragma once

#include "channels.hpp"
#include "lattice.hpp"

namespace crf {

// The floats of a pixel or a vertex: WIDTH, known to the compiler, or any multiple of WIDTH.
template <int C> struct Row {
    static constexpr int WIDTH = C, length = C;
};
template <int C> struct LongRow {
    static constexpr int WIDTH = C;
    int length;
};

// The pixels of every vertex, by which threads can gather.
template <int D> struct Gather {
    Array<int64_t> start;   // [vertices + 2], of vertex v: start[v] to start[v + 1]
    Array<int32_t> pixel;
    Array<float> weight;

    explicit Gather(const Lattice<D>& lattice)
        : start(size_t(lattice.vertices) + 2), pixel(lattice.pixels * (D + 1)), weight(lattice.pixels * (D + 1)) {
        start.zero();
        each(lattice, [&](int64_t, int32_t vertex, float) { start[vertex + 1]++; });
        for (int64_t v = 0; v <= lattice.vertices; v++) start[v + 1] += start[v];
        each(lattice, [&](int64_t i, int32_t vertex, float w) {
            const int64_t to = start[vertex]++;
            pixel[to] = int32_t(i);
            weight[to] = w;
        });
        for (int64_t v = lattice.vertices + 1; v > 0; v--) start[v] = start[v - 1];
        start[0] = 0;
    }
    size_t bytes() const { return start.bytes() + pixel.bytes() + weight.bytes(); }

    // The vertices from 1 on that are part `part` of `parts`, about as many entries each.
    int32_t first(int part, int parts) const {
        const int64_t vertices = int64_t(start.size()) - 2, entries = start[vertices + 1];
        if (part == parts) return int32_t(vertices + 1);
        const int64_t* at = std::lower_bound(start.data() + 1, start.data() + vertices + 1, entries * part / parts);
        return int32_t(at - start.data());
    }

  private:
    template <class Visit> static void each(const Lattice<D>& lattice, Visit&& visit) {
        for (int64_t i = 0; i < lattice.pixels; i++) {
            const int64_t b = i / BLOCK, l = i % BLOCK;
            for (int r = 0; r <= D; r++)
                visit(i, lattice.corners(b)[r * BLOCK + l], lattice.weights(b)[r * BLOCK + l]);
        }
    }
};

// A row x to the corners of pixel l of block b, from one thread.
template <int D, class R>
inline void scatter(const Lattice<D>& lattice, R row, int64_t b, int l, const float* x, float* values) {
    const int32_t* corner = lattice.corners(b) + l;
    const float* weight = lattice.weights(b) + l;
    const float norm = lattice.norm[b * BLOCK + l];
    for (int c = 0; c < row.length; c += R::WIDTH) {
        const auto value = Channels<R::WIDTH>::load(x + c).times(norm);
        for (int r = 0; r <= D; r++) {
            float* to = values + size_t(corner[r * BLOCK]) * row.length + c;
            auto sum = Channels<R::WIDTH>::load(to);
            sum.add(weight[r * BLOCK], value);
            sum.store(to);
        }
    }
}

// What scatter gives at the vertices [from, to) for the rows x of all pixels.
template <int D, class R>
void gather(const Lattice<D>& lattice, const Gather<D>& list, R row, int32_t from, int32_t to, const float* x,
            float* values) {
    for (int32_t v = from; v < to; v++)
        for (int c = 0; c < row.length; c += R::WIDTH) {
            auto sum = Channels<R::WIDTH>::zero();
            for (int64_t i = list.start[v]; i < list.start[v + 1]; i++) {
                const int32_t pixel = list.pixel[i];
                const auto value = Channels<R::WIDTH>::load(x + size_t(pixel) * row.length + c);
                sum.add(list.weight[i], value.times(lattice.norm[pixel]));
            }
            sum.store(values + size_t(v) * row.length + c);
        }
}

// Along one axis, from x to y, at the vertices [from, to).
template <int D, class R>
void blur(const Lattice<D>& lattice, R row, int axis, int32_t from, int32_t to, const float* __restrict x,
          float* __restrict y) {
    const int32_t* before = lattice.before.data() + axis * lattice.pitch - 1;
    const int32_t* after = lattice.after.data() + axis * lattice.pitch - 1;
    if constexpr (R::WIDTH == 1) {
#pragma GCC ivdep
        for (int32_t v = from; v < to; v++) y[v] = x[v] + 0.5f * (x[before[v]] + x[after[v]]);
    } else {
        constexpr int AHEAD = 12;
        const size_t n = row.length;
        for (int32_t v = from; v < to; v++) {
            if constexpr (R::WIDTH >= 4) {
                const int32_t later = v + AHEAD < to ? v + AHEAD : v;
                __builtin_prefetch(x + before[later] * n);
                __builtin_prefetch(x + after[later] * n);
            }
            const float *a = x + before[v] * n, *b = x + after[v] * n, *here = x + v * n;
            for (int c = 0; c < row.length; c += R::WIDTH)
                Channels<R::WIDTH>::load(here + c)
                    .blurred(Channels<R::WIDTH>::load(a + c), Channels<R::WIDTH>::load(b + c))
                    .store(y + v * n + c);
        }
    }
}

// The answer at pixel l of block b, times `factor`, is added to out.
template <int D, class R>
inline void slice(const Lattice<D>& lattice, R row, int64_t b, int l, const float* values, float factor, float* out) {
    const int32_t* corner = lattice.corners(b) + l;
    const float* weight = lattice.weights(b) + l;
    for (int c = 0; c < row.length; c += R::WIDTH) {
        auto sum = Channels<R::WIDTH>::zero();
        for (int r = 0; r <= D; r++)
            sum.add(weight[r * BLOCK], Channels<R::WIDTH>::load(values + size_t(corner[r * BLOCK]) * row.length + c));
        auto total = Channels<R::WIDTH>::load(out + c);
        total.add(factor, sum);
        total.store(out + c);
    }
}

// The answers at all pixels of a block, for rows of one channel.
template <int D> inline void slice_block(const Lattice<D>& lattice, int64_t b, const float* values, float* out) {
    const int32_t* corner = lattice.corners(b);
    const float* weight = lattice.weights(b);
    for (int l = 0; l < BLOCK; l++) out[l] = 0;
    for (int r = 0; r <= D; r++)
        for (int l = 0; l < BLOCK; l++) out[l] += weight[r * BLOCK + l] * values[corner[r * BLOCK + l]];
}

// Symmetric normalization: D^(-1/2) of each pixel, D being the filter's answer to ones.
template <int D> void normalize(Lattice<D>& lattice) {
    constexpr Row<1> row;
    lattice.norm = Array<float>(lattice.blocks * BLOCK);
    std::fill_n(lattice.norm.data(), lattice.norm.size(), 1.0f);
    Array<float> x(size_t(lattice.vertices) + 1), y(x.size());
    x.zero();
    y[0] = 0;
    const float one = 1;
    for (int64_t b = 0; b < lattice.blocks; b++)
        for (int l = 0; l < lattice.count(b); l++) scatter(lattice, row, b, l, &one, x.data());
    float *from = x.data(), *to = y.data();
    for (int axis = 0; axis < lattice.AXES; axis++, std::swap(from, to))
        blur(lattice, row, axis, 1, lattice.vertices + 1, from, to);
    for (int64_t b = 0; b < lattice.blocks; b++) {
        float answer[BLOCK];
        slice_block(lattice, b, from, answer);
        for (int l = 0; l < BLOCK; l++)
            lattice.norm[b * BLOCK + l] = 1.0f / std::sqrt(answer[l] * lattice.ALPHA + 1e-20f);
    }
}

}  // namespace crf

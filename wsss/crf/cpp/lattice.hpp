// The permutohedral lattice of an image's features, on which Gaussian filtering is linear in the pixels.
//
// Adams, Baek and Davis, "Fast high-dimensional filtering using the permutohedral lattice", Eurographics 2010.
// D features of a pixel are embedded in the plane of D + 1 coordinates that sum to zero (their eq. 2). The plane
// is tiled with simplices; a pixel's value goes to the D + 1 vertices of the simplex around it, by its barycentric
// coordinates (splat), every vertex takes half of its neighbors' values along each of D + 1 axes (blur), and the
// pixel reads the vertices again (slice). Kraehenbuehl and Koltun normalize the filter symmetrically: with D the
// filter's answer to ones, the kernel is D^(-1/2) K D^(-1/2).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>

#include "array.hpp"
#include "channels.hpp"

namespace crf {

constexpr int BLOCK = 16;  // pixels that are computed side by side

// The compiler's vectors, as wide as the processor's: no intrinsics, so one source serves all processors.
constexpr int LANES = WIDEST;
typedef float Floats __attribute__((vector_size(LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(LANES * 4)));
typedef int64_t Longs __attribute__((vector_size(LANES * 8)));
typedef uint64_t Keys __attribute__((vector_size(LANES * 8)));

// To the nearest integer, halves to even, for |x| < 2^22. Unlike std::nearbyint it is a vector operation everywhere.
inline float nearest(float x) { return (x + 12582912.0f) - 12582912.0f; }

// How the D coordinates of a vertex are packed into 64 bits (the last coordinate follows from the others). So a
// neighbor's key is a sum, and keys are compared at once.
template <int D> struct Packing {
    int shift[D];
    uint64_t unit[D + 1];  // 1 of each coordinate; 0 of the last
    uint64_t ones = 0;     // 1 of all coordinates
    uint64_t origin = 0;   // the key of the vertex 0
    float scale[D];        // of features, so that a blur has standard deviation 1 (p. 4 of the paper)

    // greatest: of each feature; the least is 0. Throws std::length_error for features too many steps apart.
    explicit Packing(const float* greatest) {
        constexpr int MARGIN = 4 * (D + 1);  // a simplex and a neighbor beyond the outermost pixel
        int bits = 0;
        const float deviation = float(std::sqrt(2.0 / 3.0) * (D + 1));  // rounded here as in the published code
        for (int i = 0; i < D; i++) scale[i] = float(1 / std::sqrt(double((i + 2) * (i + 1))) * deviation);
        double above = 0;  // sum of the later features
        double range[D];
        for (int i = D - 1; i >= 0; i--) {
            above += double(greatest[i]) * scale[i];
            const double below = i ? double(i) * greatest[i - 1] * scale[i - 1] : 0;
            range[i] = std::max(above, below) + MARGIN;
            if (!(range[i] < 1 << 21)) throw std::length_error("features are too far apart");
        }
        for (int i = 0; i < D; i++) {
            int width = 1;
            while (double(uint64_t(1) << (width - 1)) <= range[i]) width++;
            if (bits + width > 64) throw std::length_error("features are too far apart");
            shift[i] = bits;
            unit[i] = uint64_t(1) << bits;
            ones |= unit[i];
            origin += unit[i] << (width - 1);
            bits += width;
        }
        unit[D] = 0;
    }
};

// Numbers vertices 1, 2, ... in the order in which they are first met. Open addressing, at most half full.
class VertexNumbers {
  public:
    explicit VertexNumbers(size_t expected) {
        while (size_t(1) << bits_ < expected) bits_++;
        keys_ = Array<uint64_t>(std::max<size_t>(expected / 2, 1024));
        clear();
    }
    int32_t count() const { return count_; }
    const uint64_t* keys() const { return keys_.data(); }
    size_t slot(uint64_t key) const { return (key * 0x9E3779B97F4A7C15ull) >> (64 - bits_); }
    void prefetch(size_t slot) const { __builtin_prefetch(&slots_[slot], 1); }

    // Room for `more` vertices; true if slots have changed. Throws std::length_error for 2^31 vertices and more.
    bool reserve(int more) {
        const size_t needed = size_t(count_) + more;
        if (needed > INT32_MAX) throw std::length_error("too many vertices");
        if (needed > keys_.size()) keys_.resize(std::max(keys_.size() * 3 / 2, needed), count_);
        if (2 * needed <= slots_.size()) return false;
        bits_++;
        clear();
        for (int32_t i = 0; i < count_; i++) {
            size_t s = slot(keys_[i]);
            while (slots_[s]) s = next(s);
            slots_[s] = i + 1;
        }
        return true;
    }
    // The number of a key, from its slot on; a new one if there is none. There is room.
    int32_t number(uint64_t key, size_t s) {
        for (; slots_[s]; s = next(s))
            if (keys_[slots_[s] - 1] == key) return slots_[s];
        keys_[count_] = key;
        return slots_[s] = ++count_;
    }
    // The number of a key, or 0.
    int32_t find(uint64_t key, size_t s) const {
        for (; slots_[s]; s = next(s))
            if (keys_[slots_[s] - 1] == key) return slots_[s];
        return 0;
    }

  private:
    Array<uint64_t> keys_;   // of vertex i + 1
    Array<int32_t> slots_;   // number of a vertex, 0: empty
    int bits_ = 10;
    int32_t count_ = 0;
    size_t next(size_t s) const { return (s + 1) & (slots_.size() - 1); }
    void clear() {
        slots_ = Array<int32_t>(size_t(1) << bits_);
        slots_.zero();
    }
};

template <int D> struct Lattice {
    static constexpr int CORNERS = D + 1;  // of a simplex
    static constexpr int AXES = D + 1;
    // What slicing multiplies with, so that a constant image stays constant (as in the published code).
    static constexpr float ALPHA = 1.0f / (1.0f + 1.0f / (1 << D));

    int64_t pixels = 0, blocks = 0;
    int32_t vertices = 0;    // numbered from 1; 0 stands for none, its value is 0
    Array<int32_t> corner;   // [block][CORNERS][BLOCK], vertex of each corner; 0 beyond the last pixel
    Array<float> weight;     // the same shape: barycentric coordinate
    Array<float> norm;       // [block][BLOCK], D^(-1/2) of each pixel; see normalize
    Array<int32_t> before, after;  // [axis][pitch], vertices beside each along an axis
    size_t pitch = 0;

    // features(f): writes the features f[D] of the next LANES pixels; they lie in [0, greatest].
    template <class Features> Lattice(int64_t pixels, const float* greatest, Features&& features);

    const int32_t* corners(int64_t block) const { return corner.data() + block * CORNERS * BLOCK; }
    const float* weights(int64_t block) const { return weight.data() + block * CORNERS * BLOCK; }
    // Pixels of a block.
    int count(int64_t block) const { return int(std::min<int64_t>(BLOCK, pixels - block * BLOCK)); }
    size_t bytes() const { return corner.bytes() + weight.bytes() + norm.bytes() + before.bytes() + after.bytes(); }

  private:
    void find_neighbors(const VertexNumbers& numbers, const Packing<D>& packing);
};

// The simplices around LANES points with features f: keys of their corners, and barycentric coordinates.
template <int D> inline void enclose(const Packing<D>& packing, const Floats* f, Keys* key, Floats* weight) {
    constexpr int V = D + 1;
    Floats e[V], sorted[V] = {}, sum = {};
    Ints point[V], rank[V], excess = {};
    // elevate: the embedding of the features
    for (int j = D; j > 0; j--) {
        const Floats scaled = f[j - 1] * packing.scale[j - 1];
        e[j] = sum - float(j) * scaled;
        sum += scaled;
    }
    e[0] = sum;
    // the nearest point whose coordinates are multiples of V
    for (int i = 0; i < V; i++) {
        const Floats whole = e[i] * (1.0f / V) + 12582912.0f - 12582912.0f;  // as `nearest`
        e[i] -= whole * float(V);
        point[i] = __builtin_convertvector(whole, Ints);
        excess += point[i];
        point[i] *= V;
    }
    // the order of the differences tells the simplex; coordinates wrap around where they do not sum to 0
    for (int i = 0; i < V; i++) rank[i] = excess;
    for (int i = 0; i < D; i++)
        for (int j = i + 1; j < V; j++) {
            const Ints less = e[i] < e[j];  // -1 where it is
            rank[i] -= less;
            rank[j] += less + 1;
        }
    for (int i = 0; i < V; i++) {
        const Ints wrap = ((rank[i] < 0) & V) - ((rank[i] >= V) & V);
        rank[i] += wrap;
        point[i] += wrap;
        e[i] = (e[i] - __builtin_convertvector(wrap, Floats)) * (1.0f / V);
    }
    // barycentric coordinates: differences of the sorted differences
    for (int p = 0; p < V; p++)
        for (int i = 0; i < V; i++) sorted[p] += Floats((rank[i] == D - p) & Ints(e[i]));
    weight[0] = sorted[0] + 1.0f - sorted[D];
    for (int p = 1; p < V; p++) weight[p] = sorted[p] - sorted[p - 1];
    // corner r + 1 is corner r, 1 further in all coordinates but in that of rank D - r, where it is D back
    key[0] = Keys{} + packing.origin;
    for (int i = 0; i < D; i++) key[0] += Keys(__builtin_convertvector(point[i], Longs)) << packing.shift[i];
    for (int r = 0; r < D; r++) {
        key[r + 1] = key[r] + packing.ones;
        for (int i = 0; i < D; i++)
            key[r + 1] -= Keys(__builtin_convertvector(rank[i] == D - r, Longs)) & (V * packing.unit[i]);
    }
}

template <int D>
template <class Features>
Lattice<D>::Lattice(int64_t pixels, const float* greatest, Features&& features)
    : pixels(pixels), blocks((pixels + BLOCK - 1) / BLOCK), corner(blocks * CORNERS * BLOCK),
      weight(blocks * CORNERS * BLOCK) {
    const Packing<D> packing(greatest);
    VertexNumbers numbers(pixels);
    Floats f[D] = {}, barycentric[CORNERS];
    Keys keys[CORNERS];
    uint64_t key[CORNERS][BLOCK];
    size_t slot[CORNERS][BLOCK];
    for (int64_t b = 0; b < blocks; b++) {
        float* w = weight.data() + b * CORNERS * BLOCK;
        int32_t* c = corner.data() + b * CORNERS * BLOCK;
        for (int part = 0; part < BLOCK; part += LANES) {
            features(f);
            enclose<D>(packing, f, keys, barycentric);
            for (int r = 0; r < CORNERS; r++) {
                std::memcpy(&w[r * BLOCK + part], &barycentric[r], sizeof(Floats));
                std::memcpy(&key[r][part], &keys[r], sizeof(Keys));
            }
        }
        numbers.reserve(CORNERS * BLOCK);
        for (int r = 0; r < CORNERS; r++)
            for (int l = 0; l < BLOCK; l++) numbers.prefetch(slot[r][l] = numbers.slot(key[r][l]));
        const int count = this->count(b);
        for (int l = 0; l < count; l++)
            for (int r = 0; r < CORNERS; r++) c[r * BLOCK + l] = numbers.number(key[r][l], slot[r][l]);
        for (int l = count; l < BLOCK; l++)
            for (int r = 0; r < CORNERS; r++) c[r * BLOCK + l] = 0, w[r * BLOCK + l] = 0;
    }
    vertices = numbers.count();
    find_neighbors(numbers, packing);
}

template <int D> void Lattice<D>::find_neighbors(const VertexNumbers& numbers, const Packing<D>& packing) {
    constexpr int AHEAD = 64;
    size_t slot[AHEAD];
    pitch = (size_t(vertices) + BLOCK) / BLOCK * BLOCK;
    before = Array<int32_t>(AXES * pitch);
    after = Array<int32_t>(AXES * pitch);
    before.zero();
    after.zero();
    for (int j = 0; j < AXES; j++) {
        const uint64_t step = (D + 1) * packing.unit[j] - packing.ones;
        int32_t *b = before.data() + j * pitch, *a = after.data() + j * pitch;
        for (int32_t start = 0; start < vertices; start += AHEAD) {
            const int count = std::min(AHEAD, vertices - start);
            for (int i = 0; i < count; i++)
                numbers.prefetch(slot[i] = numbers.slot(numbers.keys()[start + i] + step));
            for (int i = 0; i < count; i++)
                if (int32_t found = numbers.find(numbers.keys()[start + i] + step, slot[i])) {
                    a[start + i] = found;
                    b[found - 1] = start + i + 1;
                }
        }
    }
}

}  // namespace crf

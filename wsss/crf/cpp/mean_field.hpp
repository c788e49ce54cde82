// Mean field of the fully connected CRF with Potts compatibility.
//
// Kraehenbuehl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials", NIPS 2011,
// algorithm 1: Q = softmax(-U); then, several times, Q = softmax(-U + sum over the kernels of w K Q). With Potts
// compatibility a constant added to all labels of a pixel changes nothing, and Q sums to one, so everything is
// relative to label 0: L labels need L - 1 channels, Q_k - Q_0.
#pragma once

#include "filter.hpp"
#include "team.hpp"

namespace crf {

// e^x with a relative error of 2e-7, without branches, so that it is a vector operation (as in Cephes' expf).
inline float exponential(float x) {
    x = std::min(88.0f, std::max(-87.0f, x));
    const float n = nearest(x * 1.44269504f);
    const float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const int32_t bits = (int32_t(n) + 127) << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return p * power;
}

constexpr size_t KEPT = size_t(1) << 26;  // floats

struct Problem {
    const float* unary;   // [labels][pixels], energies
    float* out;           // the same shape, marginals; may be the unary's memory
    int labels;           // 2 at least
    float copies;         // how many labels with the same energies the last one stands for
    int iterations;
};

// Energies of a block of pixels relative to label 0: u_0 - u_k.
template <class R>
inline void relative_energies(const Problem& problem, int64_t pixels, int64_t b, int count, R row, float* e) {
    const float* first = problem.unary + b * BLOCK;
    const int n = row.length;
    for (int k = 0; k < n; k++)
        for (int l = count; l < BLOCK; l++) e[l * n + k] = 0;
    for (int k = 0; k + 1 < problem.labels; k++) {
        const float* other = first + (k + 1) * pixels;
        if (count == BLOCK)
            for (int l = 0; l < BLOCK; l++) e[l * n + k] = first[l] - other[l];
        else
            for (int l = 0; l < count; l++) e[l * n + k] = first[l] - other[l];
    }
    for (int k = problem.labels - 1; k < n; k++)
        for (int l = 0; l < BLOCK; l++) e[l * n + k] = -1e30f;
}

// Relative energies become marginals: e of label k + 1, low of label 0.
template <class R> inline void softmax(const Problem& problem, R row, float* e, float* low) {
    const int n = row.length;
    if constexpr (R::WIDTH == 1) {  // two labels, of which none has copies
        for (int l = 0; l < BLOCK; l++) {
            low[l] = 1.0f / (1.0f + exponential(e[l]));
            e[l] = 1.0f - low[l];
        }
        return;
    }
    for (int l = 0; l < BLOCK; l++) {
        float top = 0;
        for (int k = 0; k < n; k++) top = std::max(top, e[l * n + k]);
        low[l] = -top;
        for (int k = 0; k < n; k++) e[l * n + k] -= top;
    }
    for (int j = 0; j < BLOCK * n; j++) e[j] = exponential(e[j]);
    for (int l = 0; l < BLOCK; l++) low[l] = exponential(low[l]);
    for (int l = 0; l < BLOCK; l++) {
        float total = low[l] + (problem.copies - 1) * e[l * n + problem.labels - 2];
        for (int k = 0; k < n; k++) total += e[l * n + k];
        const float part = 1.0f / total;
        low[l] *= part;
        for (int k = 0; k < n; k++) e[l * n + k] *= part;
    }
}

// What one thread works with: the rows of both lattices' vertices, x before and y after an operation.
struct Values {
    Array<float> first, second;
    Values(int32_t vertices, size_t length) : first((size_t(vertices) + 1) * length), second(first.size()) {
        std::memset(first.data(), 0, length * sizeof(float));
        std::memset(second.data(), 0, length * sizeof(float));
    }
};

// One kernel of the CRF. gather: where several threads work.
template <int D> struct Kernel {
    const Lattice<D>& lattice;
    const Gather<D>* gather;
    float weight;
};

// Throws std::bad_alloc.
template <class R>
void mean_field(const Kernel<5>& color, const Kernel<2>& position, const Problem& problem, R row, Team& team) {
    const int64_t pixels = color.lattice.pixels, blocks = color.lattice.blocks;
    const int n = row.length;
    const bool gathers = team.size() > 1;
    Values color_values(color.lattice.vertices, n), position_values(position.lattice.vertices, n);
    const size_t all = size_t(blocks) * BLOCK * n;
    Array<float> rows(gathers ? all : 0);
    // relative energies, label after label of a pixel, are kept for all steps where memory is no matter
    const bool keeps = R::WIDTH > 1 && problem.iterations > 1 && all < KEPT;
    Array<float> kept(keeps ? all : 0);
    Array<float> scratch(team.size() * size_t(n + 3) * BLOCK);

    team.run([&](int member) {
        const auto from = [&](int64_t whole) { return whole * member / team.size(); };
        const auto to = [&](int64_t whole) { return whole * (member + 1) / team.size(); };
        float *x = color_values.first.data(), *y = color_values.second.data();
        float *px = position_values.first.data(), *py = position_values.second.data();
        float* e = scratch.data() + member * size_t(n + 3) * BLOCK;
        float *low = e + n * BLOCK, *answer = low + BLOCK, *second_answer = answer + BLOCK;

        const auto add_messages = [&](int64_t b) {
            const float wc = color.weight * color.lattice.ALPHA, wp = position.weight * position.lattice.ALPHA;
            const float *nc = &color.lattice.norm[b * BLOCK], *np = &position.lattice.norm[b * BLOCK];
            if constexpr (R::WIDTH == 1) {
                slice_block(color.lattice, b, x, answer);
                slice_block(position.lattice, b, px, second_answer);
                for (int l = 0; l < BLOCK; l++) e[l] += wc * nc[l] * answer[l] + wp * np[l] * second_answer[l];
            } else {
                for (int l = 0; l < color.lattice.count(b); l++) {
                    slice(color.lattice, row, b, l, x, wc * nc[l], e + l * n);
                    slice(position.lattice, row, b, l, px, wp * np[l], e + l * n);
                }
            }
        };
        const auto splat = [&](int64_t b) {
            for (int l = 0; l < BLOCK; l++)
                for (int k = 0; k < n; k++) e[l * n + k] -= low[l];
            if (gathers) {
                std::memcpy(rows.data() + b * BLOCK * n, e, sizeof(float) * n * BLOCK);
                return;
            }
            for (int l = 0; l < color.lattice.count(b); l++) {
                scatter(color.lattice, row, b, l, e + l * n, y);
                scatter(position.lattice, row, b, l, e + l * n, py);
            }
        };
        const auto gather_rows = [&](const auto& kernel, float* values) {
            gather(kernel.lattice, *kernel.gather, row, kernel.gather->first(member, team.size()),
                   kernel.gather->first(member + 1, team.size()), rows.data(), values);
        };
        const auto blur_axis = [&](const auto& lattice, int axis, float*& before, float*& after) {
            const int32_t vertices = lattice.vertices;
            blur(lattice, row, axis, int32_t(from(vertices) + 1), int32_t(to(vertices) + 1), before, after);
            std::swap(before, after);
        };

        for (int step = 0;; step++) {
            const bool last = step == problem.iterations;
            if (!last && !gathers) {
                std::memset(y, 0, color_values.first.bytes());
                std::memset(py, 0, position_values.first.bytes());
            }
            for (int64_t b = from(blocks); b < to(blocks); b++) {
                if (!keeps || step == 0) relative_energies(problem, pixels, b, color.lattice.count(b), row, e);
                if (keeps && step == 0) std::memcpy(kept.data() + b * BLOCK * n, e, sizeof(float) * n * BLOCK);
                if (keeps && step > 0) std::memcpy(e, kept.data() + b * BLOCK * n, sizeof(float) * n * BLOCK);
                if (step) add_messages(b);
                softmax(problem, row, e, low);
                if (!last) {
                    splat(b);
                    continue;
                }
                float* out = problem.out + b * BLOCK;
                for (int l = 0; l < color.lattice.count(b); l++) out[l] = low[l];
                for (int k = 0; k + 1 < problem.labels; k++)
                    for (int l = 0; l < color.lattice.count(b); l++) out[(k + 1) * pixels + l] = e[l * n + k];
            }
            if (last) return;
            team.wait();
            if (gathers) {
                gather_rows(color, y);
                gather_rows(position, py);
                team.wait();
            }
            std::swap(x, y);
            std::swap(px, py);
            for (int axis = 0; axis < color.lattice.AXES; axis++) {
                blur_axis(color.lattice, axis, x, y);
                if (axis < position.lattice.AXES) blur_axis(position.lattice, axis, px, py);
                team.wait();
            }
        }
    });
}

}  // namespace crf

// The C interface, by which Python calls this library (wsss/crf/native.py). Nothing throws across it.
#include <mutex>

#include "mean_field.hpp"

namespace {

using namespace crf;

enum Status { OK = 0, NO_MEMORY = 1, TOO_LARGE = 2, FAILED = 3 };

template <class Work> int guarded(Work&& work) {
    try {
        work();
        return OK;
    } catch (const std::bad_alloc&) {
        return NO_MEMORY;
    } catch (const std::length_error&) {
        return TOO_LARGE;
    } catch (...) {
        return FAILED;
    }
}

// A lattice, and what threads need of it, which is made when they first do. Otherwise it never changes.
template <int D> struct Shared {
    Lattice<D> lattice;
    std::unique_ptr<Gather<D>> gather;
    std::mutex mutex;

    template <class Features>
    Shared(int64_t pixels, const float* greatest, Features&& features) : lattice(pixels, greatest, features) {
        normalize(lattice);
    }
    const Gather<D>* list(int threads) {
        if (threads < 2) return nullptr;
        const std::lock_guard<std::mutex> lock(mutex);
        if (!gather) gather = std::make_unique<Gather<D>>(lattice);
        return gather.get();
    }
};

// x and y of LANES pixels after LANES, in the units of the kernel.
class Positions {
  public:
    Positions(int width, float sigma) : width_(width), sigma_(sigma) {}
    void next(Floats* f) {
        for (int l = 0; l < LANES; l++) {
            f[0][l] = float(x_);
            f[1][l] = float(y_);
            if (++x_ == width_) x_ = 0, y_++;
        }
        f[0] /= sigma_;
        f[1] /= sigma_;
    }

  private:
    int width_, x_ = 0, y_ = 0;
    float sigma_;
};

void infer(Shared<5>& color, Shared<2>& position, const Problem& problem, Team& team, float color_weight,
           float position_weight) {
    const Kernel<5> c{color.lattice, color.list(team.size()), color_weight};
    const Kernel<2> p{position.lattice, position.list(team.size()), position_weight};
    const int channels = problem.labels - 1;
    if (channels == 1) return mean_field(c, p, problem, Row<1>{}, team);
    if (channels == 2) return mean_field(c, p, problem, Row<2>{}, team);
    if (channels <= 4) return mean_field(c, p, problem, Row<4>{}, team);
    if (channels <= 8) return mean_field(c, p, problem, Row<8>{}, team);
    if (channels <= 12) return mean_field(c, p, problem, Row<12>{}, team);
    if (channels <= 16) return mean_field(c, p, problem, Row<16>{}, team);
    if (channels <= 20) return mean_field(c, p, problem, Row<20>{}, team);
    return mean_field(c, p, problem, LongRow<16>{(channels + 15) / 16 * 16}, team);
}

}  // namespace

extern "C" {

#ifndef CRF_SOURCES
#define CRF_SOURCES ""
#endif

// What the library was built from: see wsss/crf/build.py.
const char* crf_sources() { return CRF_SOURCES; }

// The best build for this processor: 2 AVX-512, 1 AVX2, 0 plain.
int crf_processor() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2")) return 0;
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
    return wide ? 2 : 1;
#else
    return 0;
#endif
}

// Lattice of color and position of an RGB image [height][width][3]. made: receives it.
int crf_color_lattice(const uint8_t* image, int height, int width, float position_sigma, float color_sigma,
                      void** made) {
    return guarded([&] {
        const int64_t pixels = int64_t(height) * width;
        float tone[256];
        for (int value = 0; value < 256; value++) tone[value] = float(value) / color_sigma;
        const float greatest[5] = {(width - 1) / position_sigma, (height - 1) / position_sigma, tone[255], tone[255],
                                   tone[255]};
        Positions positions(width, position_sigma);
        const uint8_t* rgb = image;
        int64_t i = 0;
        *made = new Shared<5>(pixels, greatest, [&](Floats* f) {
            positions.next(f);
            for (int l = 0; l < LANES; l++) {
                for (int c = 0; c < 3; c++) f[2 + c][l] = tone[rgb[c]];
                if (++i < pixels) rgb += 3;
            }
        });
    });
}

int crf_position_lattice(int height, int width, float sigma, void** made) {
    return guarded([&] {
        const float greatest[2] = {(width - 1) / sigma, (height - 1) / sigma};
        Positions positions(width, sigma);
        *made = new Shared<2>(int64_t(height) * width, greatest,
                              [&](Floats* f) { positions.next(f); });
    });
}

void crf_free_color_lattice(void* lattice) { delete static_cast<Shared<5>*>(lattice); }
void crf_free_position_lattice(void* lattice) { delete static_cast<Shared<2>*>(lattice); }
int64_t crf_color_vertices(const void* lattice) { return static_cast<const Shared<5>*>(lattice)->lattice.vertices; }
int64_t crf_position_vertices(const void* lattice) {
    return static_cast<const Shared<2>*>(lattice)->lattice.vertices;
}

// Marginals of energies [labels][pixels]; see Problem.
int crf_infer(void* color, void* position, const float* unary, float* out, int labels, int copies, float color_weight,
              float position_weight, int iterations, int threads) {
    return guarded([&] {
        Team team(threads);
        infer(*static_cast<Shared<5>*>(color), *static_cast<Shared<2>*>(position),
              {unary, out, labels, float(copies), iterations}, team, color_weight, position_weight);
    });
}
}

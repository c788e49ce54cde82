// C floats of a pixel or of a vertex, one per label, in vector registers.
#pragma once

namespace crf {

#if defined(__AVX512F__)
constexpr int WIDEST = 16;
#elif defined(__AVX__)
constexpr int WIDEST = 8;
#else
constexpr int WIDEST = 4;
#endif

// The widest vector that fits, then the others. The compiler's vector types are used instead of intrinsics,
// so that one source serves every processor.
template <int C> struct Channels {
    static constexpr int WIDTH =
        C >= WIDEST ? WIDEST : C >= 8 && WIDEST > 8 ? 8 : C >= 4 ? 4 : C >= 2 ? 2 : 1;
    typedef float Vector __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));
    typedef Channels<C - WIDTH> Others;
    Vector first;
    Others others;

    static Channels zero() { return {Vector{}, Others::zero()}; }
    static Channels load(const float* p) { return {*reinterpret_cast<const Vector*>(p), Others::load(p + WIDTH)}; }
    void store(float* p) const {
        *reinterpret_cast<Vector*>(p) = first;
        others.store(p + WIDTH);
    }
    void add(float weight, const Channels& x) {
        first += weight * x.first;
        others.add(weight, x.others);
    }
    Channels times(float factor) const { return {factor * first, others.times(factor)}; }
    // this + (a + b) / 2
    Channels blurred(const Channels& a, const Channels& b) const {
        return {first + 0.5f * (a.first + b.first), others.blurred(a.others, b.others)};
    }
};

template <> struct Channels<0> {
    static Channels zero() { return {}; }
    static Channels load(const float*) { return {}; }
    void store(float*) const {}
    void add(float, const Channels&) {}
    Channels times(float) const { return {}; }
    Channels blurred(const Channels&, const Channels&) const { return {}; }
};

}  // namespace crf

#pragma once
// The archive linked here (bidgcc000) was built with values passed by value and with rounding mode and exception
// flags as parameters. The header must be told the same, or the calling conventions differ silently.
#define DECIMAL_CALL_BY_REFERENCE 0
#define DECIMAL_GLOBAL_ROUNDING 0
#define DECIMAL_GLOBAL_EXCEPTION_FLAGS 0
#define DECIMAL_GLOBAL_ROUNDING_ACCESS_FUNCTIONS 0
#define DECIMAL_GLOBAL_EXCEPTION_FLAGS_ACCESS_FUNCTIONS 0
#include <stddef.h>
#include <stdint.h>
#include <bid_conf.h>
#include <bid_functions.h>

// Two halves instead of BID_UINT128: Swift need not know the 16-byte alignment of that struct, and the library's
// functions are macros over reserved names, which Swift does not import.

/// A decimal and the status flags (BID_INEXACT_EXCEPTION …) of the operation that made it.
typedef struct {
    uint64_t low, high;
    uint32_t flags;
} cdecimal_result;

static inline BID_UINT128 cdecimal_join(uint64_t low, uint64_t high) {
    BID_UINT128 value;
    value.w[0] = low;
    value.w[1] = high;
    return value;
}

static inline cdecimal_result cdecimal_split(BID_UINT128 value, _IDEC_flags flags) {
    cdecimal_result result = {value.w[0], value.w[1], flags};
    return result;
}

// Every operation rounds half to even, the one mode of IEEE 754 that MongoDB's arithmetic uses.
#define CDECIMAL_BINARY(name, function)                                                                            \
    static inline cdecimal_result name(uint64_t xlow, uint64_t xhigh, uint64_t ylow, uint64_t yhigh) {             \
        _IDEC_flags flags = 0;                                                                                     \
        BID_UINT128 x = cdecimal_join(xlow, xhigh), y = cdecimal_join(ylow, yhigh);                                \
        return cdecimal_split(function(x, y, BID_ROUNDING_TO_NEAREST, &flags), flags);                             \
    }

CDECIMAL_BINARY(cdecimal_add, bid128_add)
CDECIMAL_BINARY(cdecimal_subtract, bid128_sub)
CDECIMAL_BINARY(cdecimal_multiply, bid128_mul)
CDECIMAL_BINARY(cdecimal_divide, bid128_div)
CDECIMAL_BINARY(cdecimal_pow, bid128_pow)
CDECIMAL_BINARY(cdecimal_atan2, bid128_atan2)
#undef CDECIMAL_BINARY

// Elementary functions.
#define CDECIMAL_UNARY(name, function)                                                                             \
    static inline cdecimal_result name(uint64_t low, uint64_t high) {                                              \
        _IDEC_flags flags = 0;                                                                                     \
        return cdecimal_split(function(cdecimal_join(low, high), BID_ROUNDING_TO_NEAREST, &flags), flags);         \
    }

CDECIMAL_UNARY(cdecimal_sqrt, bid128_sqrt)
CDECIMAL_UNARY(cdecimal_exp, bid128_exp)
CDECIMAL_UNARY(cdecimal_log, bid128_log)
CDECIMAL_UNARY(cdecimal_log10, bid128_log10)
CDECIMAL_UNARY(cdecimal_sin, bid128_sin)
CDECIMAL_UNARY(cdecimal_cos, bid128_cos)
CDECIMAL_UNARY(cdecimal_tan, bid128_tan)
CDECIMAL_UNARY(cdecimal_asin, bid128_asin)
CDECIMAL_UNARY(cdecimal_acos, bid128_acos)
CDECIMAL_UNARY(cdecimal_atan, bid128_atan)
CDECIMAL_UNARY(cdecimal_sinh, bid128_sinh)
CDECIMAL_UNARY(cdecimal_cosh, bid128_cosh)
CDECIMAL_UNARY(cdecimal_tanh, bid128_tanh)
CDECIMAL_UNARY(cdecimal_asinh, bid128_asinh)
CDECIMAL_UNARY(cdecimal_acosh, bid128_acosh)
CDECIMAL_UNARY(cdecimal_atanh, bid128_atanh)
#undef CDECIMAL_UNARY

/// The IEEE 754 remainder's truncating sibling: the sign of the dividend, as in C.
static inline cdecimal_result cdecimal_fmod(uint64_t xlow, uint64_t xhigh, uint64_t ylow, uint64_t yhigh) {
    _IDEC_flags flags = 0;
    return cdecimal_split(bid128_fmod(cdecimal_join(xlow, xhigh), cdecimal_join(ylow, yhigh), &flags), flags);
}

/// Rounding modes for the functions that take one.
enum {
    CDECIMAL_TIES_TO_EVEN = BID_ROUNDING_TO_NEAREST,
    CDECIMAL_TOWARD_NEGATIVE = BID_ROUNDING_DOWN,
    CDECIMAL_TOWARD_POSITIVE = BID_ROUNDING_UP,
    CDECIMAL_TOWARD_ZERO = BID_ROUNDING_TO_ZERO,
    CDECIMAL_TIES_AWAY = BID_ROUNDING_TIES_AWAY,
};

enum {
    CDECIMAL_INVALID = BID_INVALID_EXCEPTION,
    CDECIMAL_OVERFLOW = BID_OVERFLOW_EXCEPTION,
    CDECIMAL_UNDERFLOW = BID_UNDERFLOW_EXCEPTION,
    CDECIMAL_INEXACT = BID_INEXACT_EXCEPTION,
};

/// The first value with the exponent of the second.
static inline cdecimal_result cdecimal_quantize(
    uint64_t xlow, uint64_t xhigh, uint64_t ylow, uint64_t yhigh, uint32_t rounding) {
    _IDEC_flags flags = 0;
    BID_UINT128 x = cdecimal_join(xlow, xhigh), y = cdecimal_join(ylow, yhigh);
    return cdecimal_split(bid128_quantize(x, y, rounding, &flags), flags);
}

static inline int cdecimal_less(uint64_t xlow, uint64_t xhigh, uint64_t ylow, uint64_t yhigh) {
    _IDEC_flags flags = 0;
    return bid128_quiet_less(cdecimal_join(xlow, xhigh), cdecimal_join(ylow, yhigh), &flags);
}

static inline int cdecimal_equal(uint64_t xlow, uint64_t xhigh, uint64_t ylow, uint64_t yhigh) {
    _IDEC_flags flags = 0;
    return bid128_quiet_equal(cdecimal_join(xlow, xhigh), cdecimal_join(ylow, yhigh), &flags);
}

static inline cdecimal_result cdecimal_from_int64(int64_t value) {
    return cdecimal_split(bid128_from_int64(value), 0);
}

static inline cdecimal_result cdecimal_from_double(double value) {
    _IDEC_flags flags = 0;
    return cdecimal_split(binary64_to_bid128(value, BID_ROUNDING_TO_NEAREST, &flags), flags);
}

typedef struct {
    double value;
    uint32_t flags;
} cdecimal_double;

static inline cdecimal_double cdecimal_to_double(uint64_t low, uint64_t high, uint32_t rounding) {
    _IDEC_flags flags = 0;
    cdecimal_double result = {bid128_to_binary64(cdecimal_join(low, high), rounding, &flags), 0};
    result.flags = flags;
    return result;
}

typedef struct {
    int64_t value;
    uint32_t flags;
} cdecimal_int64;

/// Truncates; CDECIMAL_INVALID when it does not fit, CDECIMAL_INEXACT when something was cut off.
static inline cdecimal_int64 cdecimal_to_int64(uint64_t low, uint64_t high) {
    _IDEC_flags flags = 0;
    cdecimal_int64 result = {bid128_to_int64_xint(cdecimal_join(low, high), &flags), 0};
    result.flags = flags;
    return result;
}

#pragma once
#define U_SHOW_CPLUSPLUS_API 0
// Foundation has an ICU of its own, with the same types. Where both modules are loaded, as with a Swift linked in,
// two enumerations of one name must not have different members, and these are the ones that have: newer versions of
// Unicode add some. They get names of their own.
#define UErrorCode CICUErrorCode
#define UProperty CICUProperty
#define UBlockCode CICUBlockCode
#define UJoiningGroup CICUJoiningGroup
#define ULineBreak CICULineBreak
#define UIndicSyllabicCategory CICUIndicSyllabicCategory
#define UScriptCode CICUScriptCode
#define UCalendarDateFields CICUCalendarDateFields
#include <stdbool.h>
#include <unicode/uchar.h>
#include <unicode/ucol.h>
#include <unicode/uloc.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

// The headers rename each function by a macro to one with ICU's version in its name, which Swift would have to spell
// out: these wrappers have the names without it. Only what is used is here.

static inline UCollator *cicu_collator_open(const char *locale, UErrorCode *status) {
    return ucol_open(locale, status);
}

/// Does nothing for NULL.
static inline void cicu_collator_close(UCollator *collator) { ucol_close(collator); }

static inline UCollator *cicu_collator_copy(const UCollator *collator, UErrorCode *status) {
    return ucol_clone(collator, status);
}

static inline const char *cicu_collator_valid_locale(const UCollator *collator, UErrorCode *status) {
    return ucol_getLocaleByType(collator, ULOC_VALID_LOCALE, status);
}

static inline UColAttributeValue cicu_collator_get(
    const UCollator *collator, UColAttribute attribute, UErrorCode *status) {
    return ucol_getAttribute(collator, attribute, status);
}

static inline void cicu_collator_set(
    UCollator *collator, UColAttribute attribute, UColAttributeValue value, UErrorCode *status) {
    ucol_setAttribute(collator, attribute, value, status);
}

static inline UColReorderCode cicu_collator_get_max_variable(const UCollator *collator) {
    return ucol_getMaxVariable(collator);
}

static inline void cicu_collator_set_max_variable(UCollator *collator, UColReorderCode group, UErrorCode *status) {
    ucol_setMaxVariable(collator, group, status);
}

/// The version of the collator's data, as four bytes: sort keys of different versions do not compare.
static inline void cicu_collator_version(const UCollator *collator, uint8_t *version) {
    ucol_getVersion(collator, version);
}

/// Negative, zero or positive. What is no UTF-8 compares as U+FFFD.
static inline int32_t cicu_collator_compare(
    const UCollator *collator, const char *left, int32_t left_count, const char *right, int32_t right_count) {
    UErrorCode status = U_ZERO_ERROR;
    return ucol_strcollUTF8(collator, left, left_count, right, right_count, &status);
}

/// Writes a sort key with its final zero, as far as there is room, and returns how long it is in all.
static inline int32_t cicu_collator_sort_key(
    const UCollator *collator, const UChar *text, int32_t count, uint8_t *key, int32_t capacity) {
    return ucol_getSortKey(collator, text, count, key, capacity);
}

/// The text as UTF-16, at most as many units as bytes; returns how many. What is no UTF-8 becomes U+FFFD.
static inline int32_t cicu_utf16(const char *text, int32_t count, UChar *units, int32_t capacity) {
    UErrorCode status = U_ZERO_ERROR;
    int32_t length = 0;
    u_strFromUTF8WithSub(units, capacity, &length, text, count, 0xFFFD, NULL, &status);
    return status <= U_ZERO_ERROR ? length : 0;
}

/// Whether more than `limit` combining marks follow one another.
static inline bool cicu_has_marks(const char *text, int32_t count, int32_t limit) {
    int32_t run = 0;
    for (int32_t offset = 0; offset < count && run <= limit;) {
        UChar32 character;
        U8_NEXT_OR_FFFD(text, offset, count, character);
        run = u_getCombiningClass(character) == 0 ? 0 : run + 1;
    }
    return run > limit;
}

/// The name that ICU gives to a locale, with its final zero.
static inline int32_t cicu_locale_name(const char *locale, char *name, int32_t capacity, UErrorCode *status) {
    return uloc_getName(locale, name, capacity, status);
}

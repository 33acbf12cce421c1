#pragma once
#include "shim.h"
#include <unicode/unorm2.h>

// What a text index asks of a character. As in shim.h: functions of ICU by names without a version.

/// Whether a character stands between words.
static inline bool cicu_is_delimiter(UChar32 character) {
    return u_hasBinaryProperty(character, UCHAR_WHITE_SPACE) || u_hasBinaryProperty(character, UCHAR_PATTERN_SYNTAX) ||
           u_hasBinaryProperty(character, UCHAR_TERMINAL_PUNCTUATION) ||
           u_hasBinaryProperty(character, UCHAR_QUOTATION_MARK) || u_hasBinaryProperty(character, UCHAR_DASH) ||
           u_hasBinaryProperty(character, UCHAR_HYPHEN);
}

/// Without its case.
///
/// @param dotless whether the capital of dotless i is I, as in Turkish.
static inline UChar32 cicu_fold_case(UChar32 character, bool dotless) {
    return u_foldCase(character, dotless ? U_FOLD_CASE_EXCLUDE_SPECIAL_I : U_FOLD_CASE_DEFAULT);
}

/// Without its diacritics; negative for a character that is one.
static inline UChar32 cicu_fold_diacritics(UChar32 character) {
    if (u_hasBinaryProperty(character, UCHAR_DIACRITIC)) return -1;
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *normalizer = unorm2_getNFDInstance(&status);
    UChar units[8];
    if (U_FAILURE(status)) return character;
    int32_t count = unorm2_getDecomposition(normalizer, character, units, 8, &status);
    if (U_FAILURE(status) || count <= 0) return character;
    UChar32 base, next;
    int32_t offset = 0;
    U16_NEXT(units, offset, count, base);
    while (offset < count) {
        U16_NEXT(units, offset, count, next);
        if (!u_hasBinaryProperty(next, UCHAR_DIACRITIC) && u_getCombiningClass(next) == 0) return character;
    }
    return base;
}

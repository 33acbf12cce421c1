#pragma once
#include "shim.h"
#include <unicode/usprep.h>

// As in shim.h: functions of ICU by names without a version.

/// Prepares text by RFC 4013 and returns its length; negative when it holds what is prohibited or unassigned, or when
/// there is no room. ICU itself keeps the profile, so that opening it costs little after the first time.
static inline int32_t cicu_saslprep(const UChar *text, int32_t count, UChar *output, int32_t capacity) {
    UErrorCode status = U_ZERO_ERROR;
    UStringPrepProfile *profile = usprep_openByType(USPREP_RFC4013_SASLPREP, &status);
    if (U_FAILURE(status)) return -1;
    UParseError error;
    int32_t length = usprep_prepare(profile, text, count, output, capacity, USPREP_DEFAULT, &error, &status);
    usprep_close(profile);
    return U_FAILURE(status) ? -1 : length;
}

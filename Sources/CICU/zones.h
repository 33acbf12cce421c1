#pragma once
#include "shim.h"
#include <unicode/ucal.h>

// As in shim.h: functions of ICU by names without a version.

/// Whether ICU's copy of the time zone database has a zone or an alias of this name, exactly so written.
static inline bool cicu_zone_exists(const UChar *name, int32_t count) {
    UErrorCode status = U_ZERO_ERROR;
    UChar canonical[128];
    UBool is_system = 0;
    ucal_getCanonicalTimeZoneID(name, count, canonical, 128, &is_system, &status);
    return U_SUCCESS(status) && is_system;
}

static inline UCalendar *cicu_calendar_open(const UChar *zone, int32_t count) {
    UErrorCode status = U_ZERO_ERROR;
    return ucal_open(zone, count, "en", UCAL_GREGORIAN, &status);
}

static inline void cicu_calendar_close(UCalendar *calendar) { ucal_close(calendar); }

/// Turns to an instant, in milliseconds since 1970 UTC, and tells the zone's offset then, in milliseconds.
static inline int32_t cicu_calendar_offset(UCalendar *calendar, double instant) {
    UErrorCode status = U_ZERO_ERROR;
    ucal_setMillis(calendar, instant, &status);
    return ucal_get(calendar, UCAL_ZONE_OFFSET, &status) + ucal_get(calendar, UCAL_DST_OFFSET, &status);
}

/// The next instant at which the zone's rules change, if there is one.
static inline bool cicu_calendar_next_transition(const UCalendar *calendar, double *instant) {
    UErrorCode status = U_ZERO_ERROR;
    return ucal_getTimeZoneTransitionDate(calendar, UCAL_TZ_TRANSITION_NEXT, instant, &status) && U_SUCCESS(status);
}

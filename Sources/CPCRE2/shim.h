#pragma once
// The code unit width selects the pcre2_*_8 functions; without it the header declares none.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

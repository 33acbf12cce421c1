#pragma once
// The archive linked here (bidgcc000) was built with values passed by value and with rounding mode and exception
// flags as parameters. The header must be told the same, or the calling conventions differ silently.
#define DECIMAL_CALL_BY_REFERENCE 0
#define DECIMAL_GLOBAL_ROUNDING 0
#define DECIMAL_GLOBAL_EXCEPTION_FLAGS 0
#define DECIMAL_GLOBAL_ROUNDING_ACCESS_FUNCTIONS 0
#define DECIMAL_GLOBAL_EXCEPTION_FLAGS_ACCESS_FUNCTIONS 0
#include <stddef.h>
#include <bid_conf.h>
#include <bid_functions.h>

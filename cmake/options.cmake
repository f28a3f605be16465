# Warnings are errors; hardening in release; sanitizers by GW_SANITIZE.
add_compile_options(
  -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
  -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wno-missing-field-initializers
  -fno-strict-aliasing -fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # Text cut to the size of its buffer is meant so wherever snprintf's result is not looked at.
  add_compile_options(-Wno-format-truncation)
else()
  # clang is for the fuzzers; it calls for attributes on every function that hands a format on.
  add_compile_options(-Wno-format-nonliteral -Wno-cast-qual -Wno-unknown-warning-option)
endif()
add_compile_definitions(_GNU_SOURCE)
include_directories(${PROJECT_SOURCE_DIR})

if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -fPIE)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|i.86")
    add_compile_options(-fcf-protection)
  endif()
  add_compile_definitions(_FORTIFY_SOURCE=2)
  # Assertions state what cannot happen; they stay on (a broken invariant must stop the member, not corrupt it).
  add_compile_options(-UNDEBUG)
  add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

if(GW_PLANTS)
  add_compile_definitions(GW_PLANTS)
endif()

if(GW_SANITIZE)
  add_compile_options(-fsanitize=${GW_SANITIZE} -fno-omit-frame-pointer -g -O1)
  add_link_options(-fsanitize=${GW_SANITIZE})
  if(GW_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

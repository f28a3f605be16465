find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
pkg_check_modules(LMDB REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
# msgpack-c, by its header: Debian 12 and 13 name the module differently, and 13's names a relative
# path. Its packer is inline functions, so there is nothing to link.
find_path(MSGPACK_INCLUDE_DIR msgpack/pack.h REQUIRED)
add_library(gw_msgpack INTERFACE)
target_include_directories(gw_msgpack SYSTEM INTERFACE "${MSGPACK_INCLUDE_DIR}")

if(NOT GW_RAFT_DIR)
  if(DEFINED ENV{XDG_CACHE_HOME})
    set(GW_RAFT_DIR "$ENV{XDG_CACHE_HOME}/quorumgate/raft-0.22.1")
  else()
    set(GW_RAFT_DIR "$ENV{HOME}/.cache/quorumgate/raft-0.22.1")
  endif()
endif()
if(NOT EXISTS "${GW_RAFT_DIR}/lib/libraft.a")
  message(FATAL_ERROR "libraft is not built in ${GW_RAFT_DIR}; run ./run setup")
endif()
# The sanitizer must see libraft's own memory accesses too, hence a second archive.
set(gw_libraft_archive "${GW_RAFT_DIR}/lib/libraft.a")
if(GW_SANITIZE MATCHES "address" AND EXISTS "${GW_RAFT_DIR}/lib/libraft-asan.a")
  set(gw_libraft_archive "${GW_RAFT_DIR}/lib/libraft-asan.a")
endif()
add_library(gw_libraft STATIC IMPORTED GLOBAL)
set_target_properties(gw_libraft PROPERTIES
  IMPORTED_LOCATION "${gw_libraft_archive}"
  INTERFACE_INCLUDE_DIRECTORIES "${GW_RAFT_DIR}/include"
  INTERFACE_INCLUDE_DIRECTORIES "${GW_RAFT_DIR}/include")

# Every library we link, found once. Versions are pinned where they are installed (bldr); here only the floor is named.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(GRPC REQUIRED IMPORTED_TARGET grpc>=29)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c>=1.4)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.88)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson>=1.7)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl>=3.0)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka>=1.1)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq>=15)
pkg_check_modules(TALLOC REQUIRED IMPORTED_TARGET talloc>=2.4)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(SMARTCOLS REQUIRED IMPORTED_TARGET smartcols)
pkg_check_modules(XLSXWRITER REQUIRED IMPORTED_TARGET xlsxwriter)
pkg_check_modules(GRAPHVIZ REQUIRED IMPORTED_TARGET libgvc)
pkg_check_modules(LIBEVENT REQUIRED IMPORTED_TARGET libevent libevent_openssl libevent_pthreads)

find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_GEN_C protoc-gen-c REQUIRED)

# Third-party pieces that Debian does not carry; `bldr` unpacks them (checksummed) into this folder.
if(DEFINED ENV{NUVYN_HOME})
  set(default_home $ENV{NUVYN_HOME})
else()
  set(default_home $ENV{HOME}/.cache/nuvyn)
endif()
set(NUVYN_HOME ${default_home} CACHE PATH "where bldr unpacks DuckDB, sqlite-vec and the Spark environment")

find_path(DUCKDB_INCLUDE duckdb.h HINTS ${NUVYN_HOME}/duckdb REQUIRED)
find_library(DUCKDB_LIBRARY duckdb HINTS ${NUVYN_HOME}/duckdb REQUIRED)
add_library(duckdb SHARED IMPORTED GLOBAL)
set_target_properties(duckdb PROPERTIES IMPORTED_LOCATION ${DUCKDB_LIBRARY} IMPORTED_NO_SONAME ON
                                        INTERFACE_INCLUDE_DIRECTORIES ${DUCKDB_INCLUDE})

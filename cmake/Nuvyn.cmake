# Our own build vocabulary: warnings, sanitizers, and one function per kind of target.
include_guard(GLOBAL)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
# Assertions state invariants; they stay on in every build.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")

set(NV_SANITIZE "" CACHE STRING "empty, address (with undefined) or thread")

add_library(nv_options INTERFACE)
target_include_directories(nv_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(nv_options INTERFACE _GNU_SOURCE NV_VERSION="${PROJECT_VERSION}")
target_compile_options(
  nv_options INTERFACE -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
                       -Wpointer-arith -Wwrite-strings -Wundef -Wformat=2 -Wno-missing-field-initializers
                       -fstack-protector-strong -fno-common)
target_link_libraries(nv_options INTERFACE Threads::Threads)
# Sanitizer builds run tests once: -O1 compiles in a third of the time and keeps the reports' lines readable.
# The warnings that follow values through optimised code are the release build's: at -O1 under a sanitizer they guess.
if(NV_SANITIZE)
  target_compile_options(nv_options INTERFACE -O1 -g1)
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU") # clang does not know these two
    target_compile_options(nv_options INTERFACE -Wno-format-truncation -Wno-maybe-uninitialized)
  endif()
endif()
if(NV_SANITIZE STREQUAL "address")
  target_compile_options(nv_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
                                              -fno-omit-frame-pointer)
  target_link_options(nv_options INTERFACE -fsanitize=address,undefined)
elseif(NV_SANITIZE STREQUAL "thread")
  target_compile_options(nv_options INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(nv_options INTERFACE -fsanitize=thread)
elseif(NOT NV_SANITIZE STREQUAL "")
  message(FATAL_ERROR "NV_SANITIZE=${NV_SANITIZE}: expected empty, address or thread")
endif()

option(NV_FUZZ "link fuzz targets with libFuzzer (clang)" OFF)
if(NV_FUZZ) # without it libFuzzer sees no branch of ours
  target_compile_options(nv_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Adds every folder below `area` that has a CMakeLists.txt of its own, so that a folder is added by existing.
function(nv_add_area area)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${area}/CMakeLists.txt)
    add_subdirectory(${area})
    return()
  endif()
  file(GLOB children LIST_DIRECTORIES true CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${area}/*)
  foreach(child ${children})
    if(IS_DIRECTORY ${child})
      file(RELATIVE_PATH relative ${CMAKE_CURRENT_SOURCE_DIR} ${child})
      nv_add_area(${relative})
    endif()
  endforeach()
endfunction()

# nv_library(name [SOURCES …] DEPS …): a static library of the *.c of this folder (main.c excepted).
function(nv_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    list(FILTER arg_SOURCES EXCLUDE REGEX "/main\\.c$")
  endif()
  if(NOT arg_SOURCES)
    message(WARNING "${name}: no sources in ${CMAKE_CURRENT_SOURCE_DIR}")
    return()
  endif()
  add_library(${name} STATIC ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${name} PUBLIC nv_options ${arg_DEPS})
endfunction()

# nv_program(name [SOURCES …] DEPS …): a program in build/bin; its source is main.c of this folder.
function(nv_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  if(NOT arg_SOURCES)
    set(arg_SOURCES main.c)
  endif()
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/main.c)
    message(WARNING "${name}: no main.c in ${CMAKE_CURRENT_SOURCE_DIR}")
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  target_link_libraries(${name} PRIVATE nv_options ${arg_DEPS})
endfunction()

# nv_test(name DEPS … [LABELS …] [TIMEOUT s]): a cmocka program from name.c of this folder, run by ctest.
function(nv_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${name}.c ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE nv_options ${arg_DEPS} PkgConfig::CMOCKA)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}" ENVIRONMENT
                       "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp;LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp")
endfunction()

# nv_fuzz(name DEPS …): fuzz target fuzz_<name>.c, replayed over corpus/<name> by the standalone driver in ctest. With
# clang, -DNV_FUZZ=ON links libFuzzer instead.
function(nv_fuzz name)
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  if(NV_FUZZ)
    add_executable(fuzz_${name} fuzz_${name}.c)
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} fuzz_${name}.c ${CMAKE_SOURCE_DIR}/tests/fuzz/driver/replay.c)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
    set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 120 LABELS "fuzz")
  endif()
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(fuzz_${name} PRIVATE nv_options ${arg_DEPS})
endfunction()

# nv_proto(name FILES …): protobuf-c code from .proto files (paths below proto/), plus one descriptor set with all
# imports for server reflection at ${CMAKE_BINARY_DIR}/proto/<name>.desc.
function(nv_proto name)
  cmake_parse_arguments(arg "" "" "FILES" ${ARGN})
  set(out ${CMAKE_BINARY_DIR}/proto)
  set(sources)
  foreach(file ${arg_FILES})
    string(REGEX REPLACE "\\.proto$" "" stem ${file})
    list(APPEND sources ${out}/${stem}.pb-c.c)
    add_custom_command(
      OUTPUT ${out}/${stem}.pb-c.c ${out}/${stem}.pb-c.h
      COMMAND ${PROTOC} -I${CMAKE_SOURCE_DIR}/proto -I/usr/include --c_out=${out} ${file}
      DEPENDS ${CMAKE_SOURCE_DIR}/proto/${file}
      VERBATIM)
  endforeach()
  file(MAKE_DIRECTORY ${out})
  set(protos ${arg_FILES})
  list(TRANSFORM protos PREPEND ${CMAKE_SOURCE_DIR}/proto/)
  add_custom_command(
    OUTPUT ${out}/${name}.desc
    COMMAND ${PROTOC} -I${CMAKE_SOURCE_DIR}/proto -I/usr/include --include_imports
            --descriptor_set_out=${out}/${name}.desc ${arg_FILES}
    DEPENDS ${protos}
    VERBATIM)
  add_library(${name} STATIC ${sources} ${out}/${name}.desc)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET default)
  target_include_directories(${name} SYSTEM PUBLIC ${out})
  target_link_libraries(${name} PUBLIC PkgConfig::PROTOBUF_C)
endfunction()

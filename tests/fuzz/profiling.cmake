nv_fuzz(csv_profile DEPS nv_profiling)
nv_fuzz(jsonl DEPS nv_profiling)
nv_fuzz(value_parse DEPS nv_profiling)

# The CSV corpus again on shorter vectors; see tests/unit/worker/profiling.
if(NOT NV_FUZZ)
  foreach(bits 128 256)
    set(narrow fuzz_csv_profile_${bits})
    add_executable(${narrow} fuzz_csv_profile.c driver/replay.c ${CMAKE_SOURCE_DIR}/worker/profiling/csv_marks.c
                             ${CMAKE_SOURCE_DIR}/worker/profiling/texthash.c)
    set_target_properties(${narrow} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_compile_definitions(${narrow} PRIVATE NV_VECTOR_BITS=${bits})
    target_link_libraries(${narrow} PRIVATE nv_options nv_profiling)
    add_test(NAME ${narrow} COMMAND ${narrow} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/csv_profile)
    set_tests_properties(${narrow} PROPERTIES TIMEOUT 120 LABELS "fuzz")
  endforeach()
endif()

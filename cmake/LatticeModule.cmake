# One library per folder of src/, one test binary per folder of tests/.
#
#   lattice_module(NAME [DEPS modules...] [SYSTEM libraries...] [HIDDEN libraries...] [EXCLUDE files...])
#     All *.cc of the current folder as the static library lattice_NAME. A folder with headers only
#     becomes an INTERFACE library. Include root is src/. HIDDEN libraries are those that no header shows.
#
#   lattice_test(NAME [DEPS modules...] [SYSTEM libraries...])
#     All *.cc of the current folder as the doctest binary NAME_test, one ctest entry.
#     *_pgtest.cc become NAME_pgtest, run by ctest with a throw-away PostgreSQL (LATTICE_TEST_POSTGRES is its URL).
#     *_fuzz.cc become one libFuzzer target each, with -DLATTICE_FUZZ=ON; a folder corpus/<stem> seeds it.

set(LATTICE_FUZZ_SECONDS 10 CACHE STRING "How long ctest runs each fuzz target")

function(lattice_module name)
  cmake_parse_arguments(arg "" "" "DEPS;SYSTEM;HIDDEN;EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  foreach(file IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  list(TRANSFORM arg_DEPS PREPEND lattice_)
  if(sources)
    add_library(lattice_${name} STATIC ${sources})
    target_include_directories(lattice_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(lattice_${name} PUBLIC ${arg_DEPS} ${arg_SYSTEM} Threads::Threads
      PRIVATE ${arg_HIDDEN} lattice_warnings)
  else()
    add_library(lattice_${name} INTERFACE)
    target_include_directories(lattice_${name} INTERFACE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(lattice_${name} INTERFACE ${arg_DEPS} ${arg_SYSTEM} Threads::Threads)
  endif()
endfunction()

function(lattice_test_binary target)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${target} ${arg_SOURCES})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} lattice_warnings)
  target_compile_definitions(${target} PRIVATE LATTICE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    LATTICE_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
endfunction()

function(lattice_test name)
  cmake_parse_arguments(arg "" "" "DEPS;SYSTEM" ${ARGN})
  list(TRANSFORM arg_DEPS PREPEND lattice_)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(fuzz_sources ${sources})
  list(FILTER fuzz_sources INCLUDE REGEX "_fuzz\\.cc$")
  set(pg_sources ${sources})
  list(FILTER pg_sources INCLUDE REGEX "_pgtest\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_(fuzz|pgtest|bench)\\.cc$")

  if(LATTICE_FUZZ)
    foreach(file IN LISTS fuzz_sources)
      cmake_path(GET file STEM stem)
      lattice_test_binary(${stem} SOURCES ${file} LIBRARIES ${arg_DEPS} ${arg_SYSTEM})
      target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
      set(corpus ${CMAKE_CURRENT_BINARY_DIR}/${stem}_corpus)
      file(MAKE_DIRECTORY ${corpus})
      set(seeds ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${stem})
      if(NOT EXISTS ${seeds})
        set(seeds "")
      endif()
      add_test(NAME ${stem} COMMAND ${stem} -max_total_time=${LATTICE_FUZZ_SECONDS} -timeout=10
        -rss_limit_mb=2048 -print_final_stats=1 ${corpus} ${seeds})
      set_tests_properties(${stem} PROPERTIES LABELS fuzz)
    endforeach()
    return()
  endif()

  if(sources)
    lattice_test_binary(${name}_test SOURCES ${sources} LIBRARIES ${arg_DEPS} ${arg_SYSTEM} lattice_doctest_main)
    add_test(NAME ${name}_test COMMAND ${name}_test)
    set_tests_properties(${name}_test PROPERTIES LABELS unit)
  endif()
  if(pg_sources)
    lattice_test_binary(${name}_pgtest SOURCES ${pg_sources} LIBRARIES ${arg_DEPS} ${arg_SYSTEM} lattice_doctest_main)
    add_test(NAME ${name}_pgtest
      COMMAND ${PROJECT_SOURCE_DIR}/scripts/with-postgres.sh $<TARGET_FILE:${name}_pgtest>)
    set_tests_properties(${name}_pgtest PROPERTIES LABELS postgres)
  endif()
endfunction()

# One library per folder of src/, one test binary per folder of tests/.
#
#   lattice_module(NAME [DEPS modules...] [SYSTEM libraries...] [HIDDEN libraries...] [EXCLUDE files...])
#     All *.cc of the current folder as the static library lattice_NAME. A folder with headers only
#     becomes an INTERFACE library. Include root is src/. HIDDEN libraries are those that no header shows.
#
#   lattice_test(NAME [DEPS modules...] [SYSTEM libraries...])
#     All *.cc of the current folder as the doctest binary NAME_test, one ctest entry.
#     *_pgtest.cc become NAME_pgtest, run by ctest with a throw-away PostgreSQL (LATTICE_TEST_POSTGRES is its URL).
#     *_redistest.cc become NAME_redistest; they start the Redis servers that they need.
#     *_fuzz.cc become one libFuzzer target each, with -DLATTICE_FUZZ=ON; a folder corpus/<stem> seeds it.

# The modules whose objects are met by more than one thread.
set(LATTICE_TSAN_TESTS loop tls proxy server telemetry backends)
option(LATTICE_TSAN_ALL "Run every module's tests under TSan" OFF)
set(LATTICE_VARIANT "" CACHE STRING "Prefix and label of this build's tests")
set(LATTICE_FUZZ_SECONDS 10 CACHE STRING "How long ctest runs each fuzz target")

function(lattice_module name)
  cmake_parse_arguments(arg "" "" "DEPS;SYSTEM;HIDDEN;EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  foreach(file IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  list(TRANSFORM arg_DEPS PREPEND lattice_)
  if(sources)
    # Built where a program needs it: what no test of a sanitized build links is not compiled there.
    add_library(lattice_${name} STATIC EXCLUDE_FROM_ALL ${sources})
    target_include_directories(lattice_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(lattice_${name} PUBLIC ${arg_DEPS} ${arg_SYSTEM} Threads::Threads
      PRIVATE ${arg_HIDDEN} lattice_warnings)
    lattice_precompiled(lattice_${name} ${arg_DEPS})
    lattice_unity(lattice_${name})
  else()
    add_library(lattice_${name} INTERFACE)
    target_include_directories(lattice_${name} INTERFACE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(lattice_${name} INTERFACE ${arg_DEPS} ${arg_SYSTEM} Threads::Threads)
  endif()
endfunction()

# Sanitized builds, which nobody edits and compiles by turns, take several files as one: most of the time is reading headers. For this, names in
# anonymous namespaces differ within a folder; what they hide in another file is no mistake. The plain build does not, so that a file which
# forgets an #include is found.
add_library(lattice_unity_warnings INTERFACE)
target_compile_options(lattice_unity_warnings INTERFACE -Wno-shadow)
function(lattice_unity target)
  if(LATTICE_SANITIZE)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    # Behind lattice_warnings: the last option counts.
    target_link_libraries(${target} PRIVATE lattice_unity_warnings)
  endif()
endfunction()

function(lattice_test_binary target)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${target} ${arg_SOURCES})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} lattice_warnings)
  target_compile_definitions(${target} PRIVATE LATTICE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if("lattice_doctest_main" IN_LIST arg_LIBRARIES)
    lattice_unoptimized(${target})
    lattice_precompiled(${target} TEST ${arg_LIBRARIES})
  endif()
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
endfunction()

# Most tests wait most of the time, so ctest gets four slots for each processor: --parallel $((4 * $(nproc))). PROCESSORS says how many of
# them a test takes: four if it computes all the time, eight if it has to have the processors for itself, one if nothing is said. COST is about
# how many seconds it takes, where these are many: the longest begin first.
set(LATTICE_COMPUTES 4)
set(LATTICE_OVERLOADS 8)

# Names and labels one test of this build that computes all the time: `asan.base_test` in the asan build.
function(lattice_add_test name label)
  set(full_name ${name})
  if(LATTICE_VARIANT)
    set(full_name ${LATTICE_VARIANT}.${name})
  endif()
  add_test(NAME ${full_name} COMMAND ${ARGN})
  set_tests_properties(${full_name} PROPERTIES
    LABELS "${label};${LATTICE_VARIANT}" TIMEOUT 600 PROCESSORS ${LATTICE_COMPUTES})
endfunction()

function(lattice_fuzz_tests)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  foreach(file IN LISTS arg_SOURCES)
    cmake_path(GET file STEM stem)
    lattice_test_binary(${stem} SOURCES ${file} LIBRARIES ${arg_LIBRARIES})
    target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
    set(corpus ${CMAKE_CURRENT_BINARY_DIR}/${stem}_corpus)
    file(MAKE_DIRECTORY ${corpus})
    set(seeds ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${stem})
    if(NOT EXISTS ${seeds})
      set(seeds "")
    endif()
    lattice_add_test(${stem} fuzz ${stem} -max_total_time=${LATTICE_FUZZ_SECONDS} -timeout=10
      -rss_limit_mb=2048 -print_final_stats=1 ${corpus} ${seeds})
  endforeach()
endfunction()

function(lattice_test name)
  cmake_parse_arguments(arg "" "" "DEPS;SYSTEM" ${ARGN})
  list(TRANSFORM arg_DEPS PREPEND lattice_)
  set(libraries ${arg_DEPS} ${arg_SYSTEM})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(fuzz_sources ${sources})
  list(FILTER fuzz_sources INCLUDE REGEX "_fuzz\\.cc$")
  set(pg_sources ${sources})
  list(FILTER pg_sources INCLUDE REGEX "_pgtest\\.cc$")
  set(redis_sources ${sources})
  list(FILTER redis_sources INCLUDE REGEX "_redistest\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_(fuzz|pgtest|redistest|bench)\\.cc$")
  if(LATTICE_SANITIZE STREQUAL "thread" AND NOT LATTICE_TSAN_ALL)
    # Their clients live on one loop; what they take minutes for is the servers.
    set(pg_sources)
    set(redis_sources)
  endif()

  if(sources)
    lattice_test_binary(${name}_test SOURCES ${sources} LIBRARIES ${libraries} lattice_doctest_main)
    lattice_add_test(${name}_test unit ${name}_test)
  endif()
  if(pg_sources)
    lattice_test_binary(${name}_pgtest SOURCES ${pg_sources} LIBRARIES ${libraries} lattice_doctest_main)
    lattice_add_test(${name}_pgtest postgres
      ${PROJECT_SOURCE_DIR}/scripts/with-postgres.sh $<TARGET_FILE:${name}_pgtest>)
  endif()
  if(redis_sources)
    lattice_test_binary(${name}_redistest SOURCES ${redis_sources} LIBRARIES ${libraries} lattice_doctest_main)
    lattice_add_test(${name}_redistest redis ${name}_redistest)
  endif()
  if(LATTICE_FUZZ)
    lattice_fuzz_tests(SOURCES ${fuzz_sources} LIBRARIES ${libraries})
  endif()
endfunction()

# A test of the folder that drives the real server: PROGRAM.py, which is told where that is.
#
#   lattice_blackbox_test(NAME PROGRAM TIMEOUT seconds [LABELS labels...] [ARGS arguments...] [MAY_SKIP])
#     MAY_SKIP: as a whole, by ending with 77.
#   It takes one slot; set_tests_properties says so where it takes more.
function(lattice_blackbox_test name program)
  cmake_parse_arguments(arg "MAY_SKIP" "TIMEOUT" "LABELS;ARGS" ${ARGN})
  add_test(NAME ${name}
    COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/${program}.py --lattice $<TARGET_FILE:lattice> ${arg_ARGS})
  list(APPEND arg_LABELS blackbox)
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
  if(arg_MAY_SKIP)
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77)
  endif()
endfunction()

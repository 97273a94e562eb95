# Precompiled headers, for the sanitized builds only: there reading the headers of the standard library and Abseil was most of the
# time of a build. The plain build goes without, so that a file which forgets an #include is found.
#
#   lattice_precompiled(TARGET [TEST])    TARGET reads them from the common file; TEST: with doctest

if(NOT LATTICE_SANITIZE)
  function(lattice_precompiled target)
  endfunction()
  return()
endif()

set(common_headers <algorithm> <array> <atomic> <charconv> <chrono> <cstdint> <cstring> <deque> <functional> <map> <memory>
  <optional> <random> <span> <string> <string_view> <thread> <utility> <variant> <vector>
  <absl/container/btree_map.h> <absl/container/flat_hash_map.h> <absl/container/inlined_vector.h>
  <absl/functional/any_invocable.h>)

file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/headers.cc "")
foreach(kind headers test_headers)
  add_library(lattice_${kind} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/headers.cc)
  target_link_libraries(lattice_${kind} PRIVATE ${LATTICE_ABSL} lattice_warnings)
endforeach()
target_precompile_headers(lattice_headers PRIVATE ${common_headers})
target_precompile_headers(lattice_test_headers PRIVATE ${common_headers} <doctest/doctest.h>)
# Programs are compiled with -fPIE, where libraries have -fPIC, and a precompiled header is good for one of the two.
set_target_properties(lattice_test_headers PROPERTIES POSITION_INDEPENDENT_CODE OFF)
target_compile_options(lattice_test_headers PRIVATE -fPIE)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # A file that only looks newer is not another one, for ccache.
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  target_compile_options(lattice_headers PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  target_compile_options(lattice_test_headers PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
endif()

function(lattice_precompiled target)
  if("TEST" IN_LIST ARGN)
    target_precompile_headers(${target} REUSE_FROM lattice_test_headers)
  else()
    target_precompile_headers(${target} REUSE_FROM lattice_headers)
  endif()
endfunction()

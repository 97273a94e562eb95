# Precompiled headers, for the builds with clang only, where reading headers was most of the time: those of the standard library and Abseil for every
# target, and for what stands on the replica also its headers and the generated messages'. The plain build goes without, so that a file which
# forgets an #include is found; g++ warns of the standard library itself when it was precompiled.
#
#   lattice_precompiled(TARGET [TEST] libraries...)    TARGET, which uses these libraries, reads them from a common file; TEST: with doctest

if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  function(lattice_precompiled target)
  endfunction()
  return()
endif()

set(common_headers <algorithm> <array> <atomic> <charconv> <chrono> <cstdint> <cstring> <deque> <functional> <map> <memory>
  <optional> <random> <span> <string> <string_view> <thread> <utility> <variant> <vector>
  <absl/container/btree_map.h> <absl/container/flat_hash_map.h> <absl/container/inlined_vector.h>
  <absl/functional/any_invocable.h>)

# A file that only looks newer is not another one, for ccache.
add_compile_options("SHELL:-Xclang -fno-pch-timestamp")

file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/headers.cc "")
foreach(kind headers test_headers replica_headers replica_test_headers)
  # Only where a target asks for it.
  add_library(lattice_${kind} OBJECT EXCLUDE_FROM_ALL ${CMAKE_CURRENT_BINARY_DIR}/headers.cc)
  target_link_libraries(lattice_${kind} PRIVATE ${LATTICE_ABSL} lattice_warnings)
  target_precompile_headers(lattice_${kind} PRIVATE ${common_headers})
  if(kind MATCHES "replica")
    target_include_directories(lattice_${kind} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(lattice_${kind} PRIVATE lattice_proto)
    target_precompile_headers(lattice_${kind} PRIVATE <replica/replica.h> <proto/rpc.pb.h>)
  endif()
  if(kind MATCHES "test")
    target_precompile_headers(lattice_${kind} PRIVATE <doctest/doctest.h>)
    # Programs are compiled with -fPIE, where libraries have -fPIC, and a precompiled header is good for one of the two.
    set_target_properties(lattice_${kind} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(lattice_${kind} PRIVATE -fPIE)
    lattice_unoptimized(lattice_${kind})
  endif()
endforeach()

function(lattice_precompiled target)
  set(kind headers)
  if("TEST" IN_LIST ARGN)
    set(kind test_headers)
  endif()
  if("${target};${ARGN}" MATCHES "lattice_(replica|backends_|peer|etcd|server|sim)")
    set(kind replica_${kind})
  endif()
  target_precompile_headers(${target} REUSE_FROM lattice_${kind})
endfunction()

# Compiler flags of every target. Warnings live in lattice_warnings, so that generated code can go without them.

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -fno-omit-frame-pointer")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# All addresses of library functions are looked up when the process starts, and their table is read-only from then on.
# tests/security/binary.py looks for it.
add_link_options(-Wl,-z,relro,-z,now)

add_library(lattice_warnings INTERFACE)
target_compile_options(lattice_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Both are false alarms of g++ 12: about std::string concatenation (GCC bug 105651), and about any
  # std::optional that is not always set (GCC bug 80635).
  target_compile_options(lattice_warnings INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
else()
  target_compile_options(lattice_warnings INTERFACE -Wthread-safety)
  # Dozens of test programs of sanitized code: the plain linker takes several times as long.
  add_link_options(-fuse-ld=lld)
endif()
if(LATTICE_WERROR)
  target_compile_options(lattice_warnings INTERFACE -Werror)
endif()

if(LATTICE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang" OR NOT LATTICE_SANITIZE STREQUAL "address")
    message(FATAL_ERROR "LATTICE_FUZZ needs clang and LATTICE_SANITIZE=address: see the preset asan")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(LATTICE_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(-fsanitize=address,undefined)
elseif(LATTICE_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(LATTICE_SANITIZE)
  message(FATAL_ERROR "LATTICE_SANITIZE is empty, address or thread, not '${LATTICE_SANITIZE}'")
endif()

# What is not itself under test, and is run once, takes a sanitized build longer to optimize than to run.
function(lattice_unoptimized target)
  if(LATTICE_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

if(LATTICE_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()

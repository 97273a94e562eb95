# Third-party libraries, all from Debian packages (scripts/packages.txt), as targets.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Protobuf REQUIRED)
find_package(absl REQUIRED)
find_package(spdlog REQUIRED)
pkg_check_modules(libevent REQUIRED IMPORTED_TARGET libevent_core libevent_pthreads)
pkg_check_modules(libnghttp2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(libpq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(libhiredis REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(jsoncpp REQUIRED IMPORTED_TARGET jsoncpp)
pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)

# prometheus-cpp's CMake package pulls in its HTTP server and its push client; only the core is wanted.
find_library(PROMETHEUS_CORE_LIBRARY prometheus-cpp-core REQUIRED)
find_path(PROMETHEUS_CORE_INCLUDE prometheus/text_serializer.h REQUIRED)
add_library(prometheus_core INTERFACE)
target_link_libraries(prometheus_core INTERFACE ${PROMETHEUS_CORE_LIBRARY})
target_include_directories(prometheus_core SYSTEM INTERFACE ${PROMETHEUS_CORE_INCLUDE})

set(LATTICE_ABSL absl::any_invocable absl::btree absl::flat_hash_map absl::flat_hash_set absl::inlined_vector absl::strings)

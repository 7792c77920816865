# Every library the project stands on, all from the distribution's packages. README's table says what each is for.

find_package(Protobuf REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(tl-expected REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(SQLite3 REQUIRED)

# The C++ libraries, as tunnel_fmt, tunnel_spdlog, tunnel_toml and tunnel_protobuf. A shared library costs a process some
# 100 KiB and more however little of it is used, and libstdc++.so comes along with the first of them. Where the package has
# no archive, the library's own headers are its source.
find_library(PROTOBUF_LITE_ARCHIVE libprotobuf-lite.a)
if(TUNNEL_STATIC_CXX AND PROTOBUF_LITE_ARCHIVE AND NOT TUNNEL_SANITIZE)
  set(TUNNEL_STATIC_LINK_OPTIONS -static-libstdc++ -static-libgcc -Wl,--gc-sections -Wl,--as-needed)
  add_library(tunnel_fmt STATIC ${CMAKE_CURRENT_LIST_DIR}/fmt.cpp)
  target_include_directories(tunnel_fmt SYSTEM PUBLIC $<TARGET_PROPERTY:fmt::fmt,INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_definitions(tunnel_fmt PUBLIC $<TARGET_PROPERTY:fmt::fmt,INTERFACE_COMPILE_DEFINITIONS>)
  add_library(tunnel_spdlog INTERFACE)
  target_compile_definitions(tunnel_spdlog INTERFACE SPDLOG_FMT_EXTERNAL)
  target_link_libraries(tunnel_spdlog INTERFACE tunnel_fmt Threads::Threads)
  add_library(tunnel_toml INTERFACE)
  target_compile_definitions(tunnel_toml INTERFACE TOML_HEADER_ONLY=1)
  add_library(tunnel_protobuf INTERFACE)
  target_link_libraries(tunnel_protobuf INTERFACE ${PROTOBUF_LITE_ARCHIVE} Threads::Threads)
else()
  set(TUNNEL_STATIC_LINK_OPTIONS)
  add_library(tunnel_fmt INTERFACE)
  target_link_libraries(tunnel_fmt INTERFACE fmt::fmt)
  add_library(tunnel_spdlog INTERFACE)
  target_link_libraries(tunnel_spdlog INTERFACE spdlog::spdlog)
  add_library(tunnel_toml INTERFACE)
  target_link_libraries(tunnel_toml INTERFACE tomlplusplus::tomlplusplus)
  add_library(tunnel_protobuf INTERFACE)
  target_link_libraries(tunnel_protobuf INTERFACE protobuf::libprotobuf-lite)
endif()

find_path(ASIO_INCLUDE_DIR asio.hpp REQUIRED)
add_library(tunnel_asio INTERFACE)
target_include_directories(tunnel_asio SYSTEM INTERFACE ${ASIO_INCLUDE_DIR})
# Left to itself, Asio decides on aligned_alloc by whether a libstdc++ header came before it, so two files could
# allocate and free the same coroutine frame by different means.
target_compile_definitions(tunnel_asio INTERFACE ASIO_STANDALONE ASIO_NO_DEPRECATED ASIO_HAS_STD_ALIGNED_ALLOC=1)
target_link_libraries(tunnel_asio INTERFACE Threads::Threads)
if(TUNNEL_IO_URING)
  # Everything of Asio's; the sockets of relays stay in the epoll sets of common/net/event_set.
  find_path(URING_INCLUDE_DIR liburing.h REQUIRED)
  find_library(URING_LIBRARY uring REQUIRED)
  target_include_directories(tunnel_asio SYSTEM INTERFACE ${URING_INCLUDE_DIR})
  target_compile_definitions(tunnel_asio INTERFACE ASIO_HAS_IO_URING=1 ASIO_DISABLE_EPOLL=1)
  target_link_libraries(tunnel_asio INTERFACE ${URING_LIBRARY})
endif()

# Debian 12's mbedTLS 2.28 ships no CMake package and no pkg-config file.
find_path(MBEDTLS_INCLUDE_DIR mbedtls/ssl.h REQUIRED)
find_library(MBEDTLS_LIBRARY mbedtls REQUIRED)
find_library(MBEDX509_LIBRARY mbedx509 REQUIRED)
find_library(MBEDCRYPTO_LIBRARY mbedcrypto REQUIRED)
add_library(tunnel_mbedtls INTERFACE)
target_include_directories(tunnel_mbedtls SYSTEM INTERFACE ${MBEDTLS_INCLUDE_DIR})
target_link_libraries(tunnel_mbedtls INTERFACE ${MBEDTLS_LIBRARY} ${MBEDX509_LIBRARY} ${MBEDCRYPTO_LIBRARY})

if(TUNNEL_LIBCRYPTO)
  find_package(OpenSSL 3.0 COMPONENTS Crypto)
endif()

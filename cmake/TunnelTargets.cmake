# How every target of the project is made: one place for warnings, sanitizers and include paths.

find_package(Threads REQUIRED)

add_library(tunnel_flags INTERFACE)
target_include_directories(tunnel_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(tunnel_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Werror)
target_link_libraries(tunnel_flags INTERFACE Threads::Threads)
if(TUNNEL_SANITIZE)
  target_compile_options(tunnel_flags INTERFACE -fsanitize=${TUNNEL_SANITIZE} -fno-omit-frame-pointer
                                                -fno-sanitize-recover=all)
  target_link_options(tunnel_flags INTERFACE -fsanitize=${TUNNEL_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 takes a coroutine frame's own operator delete for another allocator's once the sanitizers are in.
    target_compile_options(tunnel_flags INTERFACE -Wno-mismatched-new-delete)
  endif()
  if(TUNNEL_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio uses atomic fences, which ThreadSanitizer does not model; it never relies on them alone here.
    target_compile_options(tunnel_flags INTERFACE -Wno-tsan)
  endif()
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # clang-14 sees Asio's awaitable only when told; see common/net/asio.hpp.
  target_compile_definitions(tunnel_flags INTERFACE ASIO_HAS_CO_AWAIT=1 ASIO_HAS_STD_COROUTINE=1)
endif()

# tunnel_library(NAME SOURCES... LINK targets...): a static library of the project.
function(tunnel_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC tunnel_flags ${ARG_LINK})
endfunction()

# tunnel_program(NAME SOURCES... LINK targets...): an installed executable.
function(tunnel_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE tunnel_flags ${ARG_LINK})
  target_link_options(${name} PRIVATE ${TUNNEL_STATIC_LINK_OPTIONS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

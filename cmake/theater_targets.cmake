# The one way to declare a library, a program or a test of Theater: the same flags for all, dependencies private unless a
# public header needs them.

find_package(Threads REQUIRED)

add_library(theater_flags INTERFACE)
target_compile_features(theater_flags INTERFACE cxx_std_20)
target_include_directories(theater_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(theater_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(theater_flags INTERFACE -Wthread-safety)
endif()
if(THEATER_WARNINGS_AS_ERRORS)
  target_compile_options(theater_flags INTERFACE -Werror)
endif()
target_link_libraries(theater_flags INTERFACE Threads::Threads)

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

# theater_library(NAME SOURCES … [USES …] [PRIVATELY_USES …]): the folder's one library, target theater_NAME.
function(theater_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;PRIVATELY_USES" ${ARGN})
  add_library(theater_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(theater_${name} PUBLIC theater_flags ${ARG_USES} PRIVATE ${ARG_PRIVATELY_USES})
endfunction()

# theater_program(NAME SOURCES … [USES …]): an executable in bin/.
function(theater_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE theater_flags ${ARG_USES})
endfunction()

# theater_test(NAME SOURCES … [USES …] [LABEL unit|sim|e2e|fuzz|guest|zmq] [TIMEOUT seconds]): one GoogleTest program, one ctest entry.
function(theater_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;USES" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE theater_flags ${ARG_USES} GTest::gmock GTest::gtest_main)
  # The code under test is optimized, the tests themselves are not: half the time of building everything.
  target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O0>)
  target_compile_definitions(${name} PRIVATE THEATER_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                             THEATER_BUILD_DIR="${PROJECT_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()

# theater_fuzzer(NAME SOURCES … [USES …]): a program around LLVMFuzzerTestOneInput(). With the preset `fuzz` libFuzzer drives
# it, for 30 seconds under ctest; in every other preset it runs the inputs in corpus/NAME/, mutations of them and noise, the
# same ones each time. The target `fuzzers` makes all of them.
function(theater_fuzzer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
  target_link_libraries(${name} PRIVATE theater_flags ${ARG_USES})
  target_compile_definitions(${name} PRIVATE THEATER_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(NOT TARGET fuzzers)
    add_custom_target(fuzzers)
  endif()
  add_dependencies(fuzzers ${name})
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  if(NOT IS_DIRECTORY ${corpus})
    set(corpus)
  endif()
  if(THEATER_BUILD_FUZZERS)
    set(found ${PROJECT_BINARY_DIR}/fuzz/corpus/${name})
    file(MAKE_DIRECTORY ${found})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${name} COMMAND ${name} -max_total_time=30 -timeout=10 -max_len=65536 ${found} ${corpus})
  else()
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/standalone_main.cc)
    add_test(NAME ${name} COMMAND ${name} ${corpus})
  endif()
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()

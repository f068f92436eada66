# How guests (WebAssembly modules in C, C++ or text form) are built: with clang 19 and wasi-libc as reactors, with the
# guest headers of sdk/c. Nothing of the host's flags, sanitizers or compiler goes in: a guest is the same file in every
# preset.

find_program(THEATER_GUEST_CC clang-19 REQUIRED)
find_program(THEATER_GUEST_CXX clang++-19 REQUIRED)
find_program(THEATER_WAT2WASM wat2wasm REQUIRED)

# A stack of 60 KiB instead of 64: with a small guest's data it fits one page of linear memory, which each idle actor keeps.
set(THEATER_GUEST_LINK_FLAGS --target=wasm32-wasi -mexec-model=reactor -Wl,--strip-all -Wl,-z,stack-size=61440)
set(THEATER_GUEST_FLAGS --target=wasm32-wasi -Os -Wall -Wextra -I${PROJECT_SOURCE_DIR}/sdk/c)

# theater_compile_guest(OUT.wasm SOURCES … [FLAGS …] [LINK_FLAGS …] [NO_SDK]): the rule that makes OUT.wasm.
# One .wat source is assembled as it stands. NO_SDK leaves the sources of sdk/c out: the
# guest exports its own cabi_realloc.
function(theater_compile_guest out)
  cmake_parse_arguments(ARG "NO_SDK" "" "SOURCES;FLAGS;LINK_FLAGS" ${ARGN})
  get_filename_component(out_dir ${out} DIRECTORY)
  get_filename_component(out_name ${out} NAME)
  file(MAKE_DIRECTORY ${out_dir})

  if(ARG_SOURCES MATCHES "\\.wat$")
    get_filename_component(source ${ARG_SOURCES} ABSOLUTE)
    add_custom_command(OUTPUT ${out} COMMAND ${THEATER_WAT2WASM} ${ARG_FLAGS} ${source} -o ${out} DEPENDS ${source}
                       COMMENT "Assembling guest ${out_name}" VERBATIM)
    return()
  endif()

  if(NOT ARG_NO_SDK)
    list(APPEND ARG_SOURCES ${PROJECT_SOURCE_DIR}/sdk/c/theater.c ${PROJECT_SOURCE_DIR}/sdk/c/theater_files.c)
    if(ARG_SOURCES MATCHES "\\.(cc|cpp)(;|$)")
      list(APPEND ARG_SOURCES ${PROJECT_SOURCE_DIR}/sdk/c/theater_cxx.cc)
    endif()
  endif()
  set(linker ${THEATER_GUEST_CC})
  set(objects)
  set(object_dir ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/guest_${out_name}.dir)
  file(MAKE_DIRECTORY ${object_dir})
  foreach(source ${ARG_SOURCES})
    get_filename_component(source ${source} ABSOLUTE)
    get_filename_component(source_name ${source} NAME)
    set(object ${object_dir}/${source_name}.o)
    if(source MATCHES "\\.c$")
      set(compiler ${THEATER_GUEST_CC} -std=c17)
    else()
      set(compiler ${THEATER_GUEST_CXX} -std=c++20 -fno-exceptions -fno-rtti)
      set(linker ${THEATER_GUEST_CXX})
    endif()
    add_custom_command(OUTPUT ${object}
                       COMMAND ${compiler} ${THEATER_GUEST_FLAGS} ${ARG_FLAGS} -MD -MF ${object}.d -c ${source} -o ${object}
                       DEPENDS ${source} DEPFILE ${object}.d COMMENT "Compiling guest ${out_name}: ${source_name}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  add_custom_command(OUTPUT ${out}
                     COMMAND ${linker} ${THEATER_GUEST_LINK_FLAGS} ${objects} ${ARG_LINK_FLAGS}
                             -o ${out}
                     DEPENDS ${objects} COMMENT "Linking guest ${out_name}" VERBATIM)
endfunction()

# theater_guest(NAME SOURCES … [FLAGS …] [LINK_FLAGS …] [NO_SDK]): an example. Makes examples/NAME/NAME.wasm in the build
# folder, with the manifest.toml that stands beside the CMakeLists.txt or in NAME/. Target guest_NAME, part of `all`.
function(theater_guest name)
  set(out_dir ${PROJECT_BINARY_DIR}/examples/${name})
  set(manifest ${CMAKE_CURRENT_SOURCE_DIR}/manifest.toml)
  if(NOT EXISTS ${manifest})
    set(manifest ${CMAKE_CURRENT_SOURCE_DIR}/${name}/manifest.toml)
  endif()
  theater_compile_guest(${out_dir}/${name}.wasm ${ARGN})
  add_custom_command(OUTPUT ${out_dir}/manifest.toml
                     COMMAND ${CMAKE_COMMAND} -E copy ${manifest} ${out_dir}/manifest.toml
                     DEPENDS ${manifest} COMMENT "Copying the manifest of ${name}" VERBATIM)
  add_custom_target(guest_${name} ALL DEPENDS ${out_dir}/${name}.wasm ${out_dir}/manifest.toml)
endfunction()

# theater_test_guest(NAME SOURCES … [FLAGS …] [LINK_FLAGS …] [NO_SDK]): a guest for tests. Makes tests/guests/NAME.wasm in
# the build folder (THEATER_BUILD_DIR "/tests/guests/NAME.wasm" in a test). Target guest_NAME, part of `all`; the target
# theater_test_guests makes all of them.
function(theater_test_guest name)
  set(out ${PROJECT_BINARY_DIR}/tests/guests/${name}.wasm)
  theater_compile_guest(${out} ${ARGN})
  add_custom_target(guest_${name} ALL DEPENDS ${out})
  if(NOT TARGET theater_test_guests)
    add_custom_target(theater_test_guests)
  endif()
  add_dependencies(theater_test_guests guest_${name})
endfunction()

# Target theater_wasmtime: the static library of Wasmtime's C API, with what third_party/wasmtime/src adds to it.
#
# From the cache that third_party/wasmtime/build.sh keeps outside the build folder and fills on first use (about 4 minutes),
# or from -DTHEATER_WASMTIME_ROOT=FOLDER, which that script filled elsewhere. A release of the C API won't do.

set(THEATER_WASMTIME_ROOT "" CACHE PATH "A folder that third_party/wasmtime/build.sh made; empty: build and cache it")

set(wasmtime_root ${THEATER_WASMTIME_ROOT})
if(NOT wasmtime_root)
  set(wasmtime_script ${PROJECT_SOURCE_DIR}/third_party/wasmtime/build.sh)
  # The script says where on stdout; its progress goes to stderr, which is passed through.
  execute_process(COMMAND ${wasmtime_script} OUTPUT_VARIABLE wasmtime_root OUTPUT_STRIP_TRAILING_WHITESPACE
                  RESULT_VARIABLE wasmtime_failed)
  if(wasmtime_failed)
    message(FATAL_ERROR "Wasmtime's C API could not be built; its messages stand above. To go without it (the auditor "
                        "only): -DTHEATER_WITH_WASM=OFF. To use one built elsewhere: -DTHEATER_WASMTIME_ROOT=FOLDER.")
  endif()
  # A new lock file, feature set or source is another archive.
  file(GLOB wasmtime_sources ${PROJECT_SOURCE_DIR}/third_party/wasmtime/src/*.rs
       ${PROJECT_SOURCE_DIR}/third_party/wasmtime/include/*.h)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
               ${PROJECT_SOURCE_DIR}/third_party/wasmtime/Cargo.lock
               ${PROJECT_SOURCE_DIR}/third_party/wasmtime/Cargo.toml ${wasmtime_sources} ${wasmtime_script})
endif()

foreach(wasmtime_file lib/libwasmtime.a include/theater_wasmtime.h include/wasmtime/conf.h)
  if(NOT EXISTS ${wasmtime_root}/${wasmtime_file})
    message(FATAL_ERROR "${wasmtime_root}/${wasmtime_file} doesn't exist: was that folder made by "
                        "third_party/wasmtime/build.sh of this version?")
  endif()
endforeach()

add_library(theater_wasmtime STATIC IMPORTED GLOBAL)
set_target_properties(theater_wasmtime PROPERTIES
  IMPORTED_LOCATION ${wasmtime_root}/lib/libwasmtime.a
  INTERFACE_INCLUDE_DIRECTORIES ${wasmtime_root}/include)
target_link_libraries(theater_wasmtime INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)

# Target theater_wasmtime: the static library of Wasmtime's C API and its headers.
#
# From -DTHEATER_WASMTIME_ROOT=FOLDER, an unpacked release of the C API, or else from the cache that
# third_party/wasmtime/build.sh keeps outside the build folder and fills on first use (about 4 minutes).

set(THEATER_WASMTIME_ROOT "" CACHE PATH "An unpacked release of Wasmtime's C API; empty: build and cache it")

set(wasmtime_root ${THEATER_WASMTIME_ROOT})
if(NOT wasmtime_root)
  set(wasmtime_script ${PROJECT_SOURCE_DIR}/third_party/wasmtime/build.sh)
  # The script says where on stdout; its progress goes to stderr, which is passed through.
  execute_process(COMMAND ${wasmtime_script} OUTPUT_VARIABLE wasmtime_root OUTPUT_STRIP_TRAILING_WHITESPACE
                  RESULT_VARIABLE wasmtime_failed)
  if(wasmtime_failed)
    message(FATAL_ERROR "Wasmtime's C API could not be built; its messages stand above. To go without it (the auditor "
                        "only): -DTHEATER_WITH_WASM=OFF. To use a release: -DTHEATER_WASMTIME_ROOT=FOLDER.")
  endif()
  # A new lock file or feature set is another archive.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
               ${PROJECT_SOURCE_DIR}/third_party/wasmtime/Cargo.lock
               ${PROJECT_SOURCE_DIR}/third_party/wasmtime/Cargo.toml ${wasmtime_script})
endif()

foreach(wasmtime_file lib/libwasmtime.a include/wasmtime.h include/wasmtime/conf.h)
  if(NOT EXISTS ${wasmtime_root}/${wasmtime_file})
    message(FATAL_ERROR "${wasmtime_root}/${wasmtime_file} doesn't exist: is that folder an unpacked release of "
                        "Wasmtime's C API?")
  endif()
endforeach()

add_library(theater_wasmtime STATIC IMPORTED GLOBAL)
set_target_properties(theater_wasmtime PROPERTIES
  IMPORTED_LOCATION ${wasmtime_root}/lib/libwasmtime.a
  INTERFACE_INCLUDE_DIRECTORIES ${wasmtime_root}/include)
target_link_libraries(theater_wasmtime INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)

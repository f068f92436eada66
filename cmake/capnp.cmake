# Target CapnProto::capnp and capnp_generate_cpp(), in the folder that includes this: clang needs a word more than the
# package's own configuration says (capnp_clang.h).
find_package(CapnProto REQUIRED)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(CapnProto::capnp INTERFACE -include ${CMAKE_CURRENT_LIST_DIR}/capnp_clang.h)
endif()

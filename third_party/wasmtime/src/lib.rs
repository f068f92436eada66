//! Wasmtime's C API, re-exported so that a `staticlib` carries its symbols, and the two things that Theater needs of
//! Wasmtime and the C API doesn't offer. `include/theater_wasmtime.h` says what they promise.
pub use wasmtime_c_api::*;

mod limits;
mod world;

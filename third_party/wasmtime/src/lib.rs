//! Re-exports the C API so that a `staticlib` carries its symbols.
pub use wasmtime_c_api::*;

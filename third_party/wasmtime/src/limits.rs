//! Growth of memories and tables: the same answer on every machine, or none at all.
use std::sync::atomic::AtomicPtr;

use wasmtime_c_api::wasmtime::{format_err, Error, ResourceLimiter, Result};
use wasmtime_c_api::{wasmtime_store_t, WasmtimeStore};

#[repr(C)]
#[allow(non_camel_case_types)]
pub struct theater_limits_t {
    memory_bytes: usize,
    table_elements: usize,
    memory_refused: u64,
    table_refused: u64,
    host_failed: bool,
}

/// What Wasmtime says of a size that no 32-bit memory can have. It is the only failure that comes without
/// `memory_growing` having been asked first, and not the host's. A test holds it: if this text changes, a guest that asks for
/// more than 4 GiB traps.
const BEYOND_THE_TYPE: &str = "memory growth exceeds memory type's limits";

/// What is noted for such a size, whose number Wasmtime doesn't tell.
const MORE_THAN_32_BITS: u64 = (1 << 32) + 1;

impl theater_limits_t {
    fn fail(&mut self, what: &str, error: Error) -> Result<()> {
        self.host_failed = true;
        Err(format_err!("the host couldn't grow the guest's {what}, though its limit allows it: {error:#}"))
    }
}

/// What the type itself forbids isn't refused by us.
fn allowed(desired: usize, limit: usize, maximum: Option<usize>, refused: &mut u64) -> bool {
    let by_type = desired <= maximum.unwrap_or(usize::MAX);
    if by_type && desired > limit {
        *refused = (*refused).max(desired as u64);
    }
    by_type && desired <= limit
}

impl ResourceLimiter for theater_limits_t {
    fn memory_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        Ok(allowed(desired, self.memory_bytes, maximum, &mut self.memory_refused))
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        if error.to_string() == BEYOND_THE_TYPE {
            self.memory_refused = MORE_THAN_32_BITS;
            return Ok(());
        }
        self.fail("memory", error)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        Ok(allowed(desired, self.table_elements, maximum, &mut self.table_refused))
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        self.fail("table", error)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }
}

/// # Safety
/// `store` and `limits` are valid, nothing else uses the store now, and `limits` outlives it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theater_store_set_limits(store: *mut wasmtime_store_t, limits: *mut theater_limits_t) {
    // The C API keeps the one field of this repr(C) struct to itself.
    const _: () = assert!(size_of::<wasmtime_store_t>() == size_of::<WasmtimeStore>());
    let store = &mut *store.cast::<WasmtimeStore>();
    let mut limits = AtomicPtr::new(limits); // a pointer that may go to another thread with its store
    store.limiter(move |_| unsafe { &mut **limits.get_mut() });
}

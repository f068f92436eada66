;; Flags of 33 and 65, which WIT no longer allows but the ABI defines: each export `echo-x` hands its words to the import of
;; the same name, which writes its answer to a return area.
(module
  (import "test:echo/host@0.1.0" "echo-flags33" (func $host33 (param i32 i32 i32)))
  (import "test:echo/host@0.1.0" "echo-flags65" (func $host65 (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "theater:simple/actor@0.1.0#init") (param i32 i32 i32 i32 i32) (result i32) i32.const 64)
  (func (export "test:echo/guest@0.1.0#echo-flags33") (param i32 i32) (result i32)
    (call $host33 (local.get 0) (local.get 1) (i32.const 128))
    i32.const 128)
  (func (export "test:echo/guest@0.1.0#echo-flags65") (param i32 i32 i32) (result i32)
    (call $host65 (local.get 0) (local.get 1) (local.get 2) (i32.const 128))
    i32.const 128))

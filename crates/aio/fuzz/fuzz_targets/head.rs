#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aio::http::fuzzing::head(bytes));

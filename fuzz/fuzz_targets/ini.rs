//! A plain INI file.

#![no_main]

#[path = "../../tests/it/random_inputs/judges.rs"]
#[allow(dead_code, reason = "each target uses its own judge")]
mod judges;

#[path = "../sow.rs"]
mod sow;

libfuzzer_sys::fuzz_target!(init: sow::sow("ini", (judges::INI.seeds)()), |input: &[u8]| {
    (judges::INI.judge)(input);
});

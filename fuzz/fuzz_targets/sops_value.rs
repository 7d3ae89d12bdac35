//! One encrypted value of a SOPS file: the first byte chooses its place, the rest stands there.

#![no_main]

#[path = "../../tests/it/random_inputs/judges.rs"]
#[allow(dead_code, reason = "each target uses its own judge")]
mod judges;

#[path = "../sow.rs"]
mod sow;

libfuzzer_sys::fuzz_target!(init: sow::sow("sops_value", (judges::SOPS_VALUE.seeds)()), |input: &[u8]| {
    (judges::SOPS_VALUE.judge)(input);
});

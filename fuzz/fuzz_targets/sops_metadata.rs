//! The metadata of a SOPS file: the first byte chooses the file, the rest stands where its metadata
//! stood.

#![no_main]

#[path = "../../tests/it/random_inputs/judges.rs"]
#[allow(dead_code, reason = "each target uses its own judge")]
mod judges;

#[path = "../sow.rs"]
mod sow;

libfuzzer_sys::fuzz_target!(init: sow::sow("sops_metadata", (judges::SOPS_METADATA.seeds)()), |input: &[u8]| {
    (judges::SOPS_METADATA.judge)(input);
});

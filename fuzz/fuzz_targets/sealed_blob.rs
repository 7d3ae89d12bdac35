//! One value of a SealedSecret; its first byte is passed over.

#![no_main]

#[path = "../../tests/it/random_inputs/judges.rs"]
#[allow(dead_code, reason = "each target uses its own judge")]
mod judges;

#[path = "../sow.rs"]
mod sow;

libfuzzer_sys::fuzz_target!(init: sow::sow("sealed_blob", (judges::SEALED_BLOB.seeds)()), |input: &[u8]| {
    (judges::SEALED_BLOB.judge)(input);
});

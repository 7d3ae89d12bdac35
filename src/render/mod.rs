//! From what sources gave to exactly what must exist. Pure.

use crate::artifact::Desired;
use crate::config::Config;
use crate::fetched::Fetched;
use crate::report::Failure;

/// What must exist, delivery by delivery; a delivery with a failed input is a failure as a whole.
/// `own_namespace` is that of the pod or the kubeconfig's context, or why it is unknown.
pub fn desired(
    _config: &Config,
    _fetched: &Fetched,
    _own_namespace: &Result<String, Failure>,
    _now: jiff::Timestamp,
) -> Desired {
    todo!("render helper")
}
pub mod envfile;
/// temp
pub fn environment(
    _d: &crate::config::Delivery,
    _f: &Fetched,
) -> Result<Vec<(String, crate::material::SecretBytes)>, Failure> {
    todo!()
}
/// temp
pub fn check_templates(_c: &Config) -> Vec<Failure> {
    todo!()
}

//! HTTP, TLS and gRPC, bounded in time and size: for Vault, webhooks, collectors and the runner of
//! GitHub. The caller decides what an answer means.

mod error;
mod error_chain;
mod grpc;
mod post;
mod tls;
mod transport;

pub(crate) use error::NetError;
pub use grpc::calls;
pub(crate) use post::{Post, post};
pub(crate) use tls::{Trust, check_ca_file};
pub(crate) use transport::{Answer, Call, Transport};

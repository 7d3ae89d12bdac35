//! Opens and parses beside the main thread.

use tokio::sync::Semaphore;

use crate::base::failure::Failure;
use crate::disk::aside;

/// Opens and parses on another thread, so that the main thread can answer, renew and end.
pub(super) async fn opened<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    /// Only two at a time: the processors have other work too, and each takes memory.
    static TURNS: Semaphore = Semaphore::const_new(2);
    let _turn = TURNS.acquire().await;
    aside(work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn row_185_what_is_opened_or_parsed_holds_up_nothing_else() {
        let (end, wait) = std::sync::mpsc::channel();
        let work = opened(move || {
            wait.recv().expect("it is sent");
            Ok(())
        });
        let other = async { end.send(()).expect("it is waited for") };
        // On the runtime's own thread the first would wait for the second for ever.
        let (done, ()) = tokio::join!(work, other);
        done.expect("it ends");
    }
}

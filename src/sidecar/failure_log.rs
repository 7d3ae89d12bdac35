//! Decides which failures of a delivery are news: a failure is reported when it begins, changes and
//! ends, and not at each pass. Pure: clocks are arguments.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::base::failure::Class;
use crate::pass::outcome::Failed;

/// A lasting failure is reported again after this time.
pub const AGAIN: Duration = Duration::from_secs(3600);

/// The present failures of one delivery, and since when they last.
#[derive(Debug, Clone, Default)]
pub struct PresentFailures(Option<Lasting>);

#[derive(Debug, Clone)]
struct Lasting {
    reasons: Vec<Reason>,
    since: Timestamp,
    said: Instant,
}

/// Identifies failures that are the same for a person: by target, class and text, without the
/// numbers in the text (tries, seconds, sizes).
type Reason = (Option<String>, Class, String);

/// The news of one pass about a delivery.
#[derive(Debug, Default)]
pub struct FailureLog {
    /// Failures that are new in this pass.
    pub fresh: Vec<Failed>,
    /// Failures that the pass before had too.
    pub known: Vec<Failed>,
    /// The deciding failure has another reason than in the pass before.
    pub turned: bool,
    /// The same failures have lasted since then, and it is time to report them again.
    pub still: Option<Timestamp>,
    /// The failure that began then is over.
    pub over: Option<Timestamp>,
    /// Changes wait, as of this pass, for a window that opens then.
    pub waits: Option<Timestamp>,
}

impl PresentFailures {
    /// Takes in the failures of one pass, the deciding one first.
    pub fn add_pass(&mut self, failures: Vec<Failed>, at: Timestamp, now: Instant) -> FailureLog {
        let mut news = FailureLog::default();
        let Some(first) = failures.first().map(reason) else {
            news.over = self.0.take().map(|lasting| lasting.since);
            return news;
        };
        let before = self.0.take();
        let was = before
            .as_ref()
            .map_or(&[] as &[Reason], |lasting| &lasting.reasons);
        news.turned = was.first() != Some(&first);
        let reasons = failures.iter().map(reason).collect();
        (news.known, news.fresh) = failures
            .into_iter()
            .partition(|failed| was.contains(&reason(failed)));
        let (since, mut said) = before.map_or((at, now), |lasting| (lasting.since, lasting.said));
        if !news.fresh.is_empty() {
            said = now;
        } else if now.saturating_duration_since(said) >= AGAIN {
            said = now;
            news.still = Some(since);
        }
        self.0 = Some(Lasting {
            reasons,
            since,
            said,
        });
        news
    }
}

fn reason(failed: &Failed) -> Reason {
    let mut text = String::new();
    for c in failed.failure.what.chars() {
        match c.is_ascii_digit() {
            true if text.ends_with('0') => {}
            true => text.push('0'),
            false => text.push(c),
        }
    }
    (failed.target.clone(), failed.failure.class, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Failure;

    fn failed(target: &str, class: Class, what: &str) -> Failed {
        Failed {
            target: (!target.is_empty()).then(|| target.to_owned()),
            ..Failed::in_delivery("app", Failure::new(class, what))
        }
    }

    #[test]
    fn row_18_a_failure_is_news_when_it_begins_changes_and_ends_and_once_an_hour() {
        let denied = || failed("", Class::Denied, "may not read `kv/app`");
        let sealed = || failed("", Class::Unavailable, "vault is sealed");
        let tried = |times: u32| {
            let what = format!("no answer (tried {times} times)");
            failed("", Class::Unavailable, &what)
        };
        let (a, b) = (
            || failed("file a", Class::Sink, "full"),
            || failed("file b", Class::Sink, "full"),
        );
        // Each row: seconds since the start, failures; then how many are fresh, how many known,
        // whether the reason changed, still, over.
        let rows = [
            (0, vec![], (0, 0, false, false, false)),
            (1, vec![denied()], (1, 0, true, false, false)),
            (2, vec![denied()], (0, 1, false, false, false)),
            (3, vec![sealed()], (1, 0, true, false, false)),
            (3602, vec![sealed()], (0, 1, false, false, false)),
            (3603, vec![sealed()], (0, 1, false, true, false)),
            (3700, vec![sealed()], (0, 1, false, false, false)),
            (7203, vec![sealed()], (0, 1, false, true, false)),
            (7204, vec![], (0, 0, false, false, true)),
            (7205, vec![], (0, 0, false, false, false)),
            (7206, vec![tried(2)], (1, 0, true, false, false)),
            (7207, vec![tried(13)], (0, 1, false, false, false)),
            (7208, vec![a()], (1, 0, true, false, false)),
            (7209, vec![a(), b()], (1, 1, false, false, false)),
            (7210, vec![b()], (0, 1, true, false, false)),
            (7211, vec![], (0, 0, false, false, true)),
        ];
        let begun = Instant::now();
        let mut trouble = PresentFailures::default();
        for (second, failures, want) in rows {
            let at = Timestamp::from_second(second).expect("a time");
            let now = begun + Duration::from_secs(second.unsigned_abs());
            let news = trouble.add_pass(failures, at, now);
            let is = (
                news.fresh.len(),
                news.known.len(),
                news.turned,
                news.still.is_some(),
                news.over.is_some(),
            );
            assert_eq!(is, want, "at {second}: {news:?}");
            let since = news.still.or(news.over).map(Timestamp::as_second);
            let began = if second < 7206 { 1 } else { 7206 };
            assert!(since.is_none_or(|since| since == began), "{since:?}");
        }
    }
}

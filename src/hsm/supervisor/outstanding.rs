//! Calls on their way, and what becomes of them when the worker dies.

use std::collections::HashMap;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::hsm::error::{Error, Kind};
use crate::hsm::protocol::{Answer, Call};

/// A call and who waits for its answer.
pub(in crate::hsm) struct Request {
    call: Call,
    reply: oneshot::Sender<Result<Answer, Error>>,
    /// Sent before, to a worker that died.
    resent: bool,
    /// Its place in the bounded queue, free again when the request is dropped.
    _place: OwnedSemaphorePermit,
}

impl Request {
    pub(in crate::hsm) fn new(
        call: Call,
        place: OwnedSemaphorePermit,
    ) -> (Self, oneshot::Receiver<Result<Answer, Error>>) {
        let (reply, answer) = oneshot::channel();
        (Self { call, reply, resent: false, _place: place }, answer)
    }

    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    pub(super) fn answer(self, result: Result<Answer, Error>) {
        // Nobody may be waiting any more; a mutation was made all the same, and reconciling finds it.
        let _ = self.reply.send(result);
    }
}

/// The calls that a worker has been sent and has not answered.
#[derive(Default)]
pub(super) struct Outstanding {
    calls: HashMap<u64, Sent>,
    last_id: u64,
}

struct Sent {
    request: Request,
    /// The worker announced that the module is about to be entered with it. Mutations only.
    started: bool,
}

impl Outstanding {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// An id that no call of this worker has had.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Enters a call under the id that the worker gets it with.
    pub(super) fn insert(&mut self, id: u64, request: Request) {
        self.calls.insert(id, Sent { request, started: false });
    }

    /// The worker is about to enter the module with this mutation.
    pub(super) fn started(&mut self, id: u64) {
        if let Some(sent) = self.calls.get_mut(&id) {
            sent.started = true;
        }
    }

    /// It cannot be told which calls the worker announced: fear the worst.
    pub(super) fn assume_started(&mut self) {
        for sent in self.calls.values_mut() {
            sent.started = sent.request.call.is_mutation();
        }
    }

    /// Takes a call out, to answer it.
    pub(super) fn remove(&mut self, id: u64) -> Option<Request> {
        self.calls.remove(&id).map(|sent| sent.request)
    }

    /// The worker is dead, because of `overdue` if that call outstayed its deadline. Answers those
    /// that cannot be made again, in the order of their arrival returns those that can.
    pub(super) fn after_death(self, overdue: Option<u64>, cause: &Error) -> Vec<Request> {
        let mut calls: Vec<_> = self.calls.into_iter().collect();
        calls.sort_unstable_by_key(|(id, _)| *id);
        let mut again = Vec::new();
        for (id, Sent { mut request, started }) in calls {
            match fate(started, overdue == Some(id), request.resent) {
                Fate::Resend => {
                    request.resent = true;
                    again.push(request);
                }
                Fate::Unavailable => request.answer(Err(unavailable(cause))),
                Fate::Unknown => request.answer(Err(outcome_unknown(cause))),
            }
        }
        again
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It had no effect: make it again on the next worker.
    Resend,
    /// It had no effect and shall not be made again.
    Unavailable,
    /// It may have had an effect.
    Unknown,
}

/// `started` is only ever announced of mutations. A call that hung would hang the next worker, too.
fn fate(started: bool, hung: bool, resent: bool) -> Fate {
    match (started, hung || resent) {
        (true, _) => Fate::Unknown,
        (false, true) => Fate::Unavailable,
        (false, false) => Fate::Resend,
    }
}

/// The call had no effect, since the worker is down.
pub(super) fn unavailable(cause: &Error) -> Error {
    Error::new(Kind::Unavailable, "the token is not available; try again later").because_of(cause)
}

fn outcome_unknown(cause: &Error) -> Error {
    let message = "the worker died while the token was being changed; \
                   look on the token for what became of it";
    Error::new(Kind::OutcomeUnknown, message).because_of(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_had_an_effect_is_never_made_again() {
        for hung in [false, true] {
            for resent in [false, true] {
                assert_eq!(fate(true, hung, resent), Fate::Unknown);
            }
        }
    }

    #[test]
    fn what_had_none_is_made_again_once_unless_it_hung() {
        assert_eq!(fate(false, false, false), Fate::Resend);
        assert_eq!(fate(false, false, true), Fate::Unavailable);
        assert_eq!(fate(false, true, false), Fate::Unavailable);
    }
}

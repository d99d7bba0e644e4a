//! The life of one worker as its supervisor sees it: the calls on their way, the bytes to be
//! written, and the reasons to end it. No I/O.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::outstanding::{Outstanding, Request};
use crate::hsm::error::{Error, Kind};
use crate::hsm::model::TokenInfo;
use crate::hsm::profile::Deadlines;
use crate::hsm::protocol::{self, FromWorker, Inside, ToWorker};

/// A worker that does not answer a ping so long is stopped or starved: its reader does little else.
const SILENCE: Duration = Duration::from_secs(10);

/// Calls wait so long for a worker that is starting, then fail.
const PATIENCE: Duration = Duration::from_secs(5);

/// One worker's life.
pub(super) struct Life {
    deadlines: Deadlines,
    born: Instant,
    up_since: Option<Instant>,
    /// When the ping was sent that is not answered yet.
    pinged: Option<Instant>,
    /// Why the worker is about to end, in its own words.
    last_words: Option<Error>,
    pub(super) outstanding: Outstanding,
    /// Frames not yet written to the worker.
    pub(super) unwritten: Vec<u8>,
}

/// What a message from the worker means for its supervisor.
pub(super) enum News {
    /// Nothing beyond what this life keeps itself.
    Routine,
    /// The worker takes calls from now on.
    Up(Box<TokenInfo>),
    /// The worker has to go.
    Fatal(Death),
}

/// Why a worker ends.
pub(super) struct Death {
    pub(super) error: Error,
    /// The call that outstayed its deadline, if one did.
    pub(super) overdue: Option<u64>,
}

impl From<Error> for Death {
    fn from(error: Error) -> Self {
        Self { error, overdue: None }
    }
}

impl Life {
    pub(super) fn new(deadlines: Deadlines) -> Self {
        Self {
            deadlines,
            born: Instant::now(),
            up_since: None,
            pinged: None,
            last_words: None,
            outstanding: Outstanding::default(),
            unwritten: Vec::new(),
        }
    }

    /// Whether the worker takes calls.
    pub(super) fn is_up(&self) -> bool {
        self.up_since.is_some()
    }

    /// How long it has been up, if it ever was.
    pub(super) fn uptime(&self) -> Option<Duration> {
        self.up_since.map(|since| since.elapsed())
    }

    /// Whether a call may still wait for the worker to come up.
    pub(super) fn is_patient(&self) -> bool {
        self.born.elapsed() < PATIENCE
    }

    /// Whether [`Life::watch`] has something to look after.
    pub(super) fn needs_watching(&self) -> bool {
        !self.is_up() || !self.outstanding.is_empty() || self.last_words.is_some()
    }

    /// Puts a call on its way.
    pub(super) fn send(&mut self, request: Request) {
        if request.is_abandoned() {
            return;
        }
        let id = self.outstanding.next_id();
        let call = ToWorker::Call { id, call: Cow::Borrowed(request.call()) };
        match protocol::encode(&call, &mut self.unwritten) {
            Ok(()) => self.outstanding.insert(id, request),
            Err(error) => request.answer(Err(error)),
        }
    }

    /// Asks the worker to end in good order.
    pub(super) fn ask_to_end(&mut self) -> Result<(), Error> {
        protocol::encode(&ToWorker::Shutdown, &mut self.unwritten)
    }

    /// Takes a message in; `None` is the end of the connection.
    pub(super) fn hear(&mut self, message: Result<Option<FromWorker>, Error>) -> News {
        match message {
            Ok(Some(FromWorker::Ready(info))) => {
                self.up_since = Some(Instant::now());
                return News::Up(info);
            }
            Ok(Some(FromWorker::Started { id })) => self.outstanding.started(id),
            Ok(Some(FromWorker::Answer { id, result })) => {
                if let Some(request) = self.outstanding.remove(id) {
                    request.answer(result);
                }
            }
            Ok(Some(FromWorker::Pong(inside))) => {
                self.pinged = None;
                if let Some(call) = inside.iter().find(|call| self.is_overdue(call)) {
                    return News::Fatal(Death { error: overdue(call), overdue: Some(call.id) });
                }
            }
            // Answers of other lanes may follow; the end of the connection comes last.
            Ok(Some(FromWorker::Ended(error))) => self.last_words = Some(error),
            Ok(None) => return News::Fatal(self.last_words.take().unwrap_or_else(crashed).into()),
            Err(error) => return News::Fatal(error.into()),
        }
        News::Routine
    }

    /// Looks at the clock: asks what is inside the module, and finds a worker that does not start
    /// or does not answer.
    ///
    /// # Errors
    /// Why the worker has to go.
    pub(super) fn watch(&mut self) -> Result<(), Error> {
        if !self.is_up() && self.born.elapsed() > self.deadlines.start {
            let within = self.deadlines.start;
            return Err(died(format!("its module and token were not ready within {within:?}")));
        }
        match self.pinged {
            Some(at) if at.elapsed() > SILENCE => Err(died(format!(
                "it did not answer for {SILENCE:?}: it is stopped, or its host is overloaded"
            ))),
            Some(_) => Ok(()),
            None => {
                self.pinged = Some(Instant::now());
                protocol::encode(&ToWorker::Ping, &mut self.unwritten)
            }
        }
    }

    fn is_overdue(&self, call: &Inside) -> bool {
        call.elapsed > call.class.deadline(&self.deadlines)
    }
}

fn died(why: String) -> Error {
    Error::new(Kind::Unavailable, format!("the token's worker was ended: {why}"))
}

fn overdue(call: &Inside) -> Error {
    let Inside { class, elapsed, .. } = call;
    died(format!("a call ({class:?}) was inside the module for {elapsed:.1?}, past its deadline"))
}

fn crashed() -> Error {
    let message = "the token's worker process died; its last words, if any, are on standard error";
    Error::new(Kind::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hsm::profile::Profile;
    use crate::hsm::protocol::Class;

    fn life() -> Life {
        Life::new(Profile::shipped("softhsm2").unwrap().deadlines)
    }

    fn pong(class: Class, elapsed: Duration) -> Result<Option<FromWorker>, Error> {
        Ok(Some(FromWorker::Pong(vec![Inside { id: 7, class, elapsed }])))
    }

    #[test]
    fn a_call_past_the_deadline_of_its_class_is_fatal_and_named() {
        let deadline = life().deadlines.sign;
        assert!(matches!(life().hear(pong(Class::Sign, deadline)), News::Routine));
        let late = deadline + Duration::from_millis(1);
        assert!(matches!(life().hear(pong(Class::GenerateRsa, late)), News::Routine));
        let News::Fatal(death) = life().hear(pong(Class::Sign, late)) else { panic!("lives on") };
        assert_eq!(death.overdue, Some(7));
    }

    #[test]
    fn the_last_words_are_told_at_the_end_of_the_connection() {
        let mut life = life();
        let words = Error::new(Kind::TokenNotFound, "no token has the label x");
        assert!(matches!(life.hear(Ok(Some(FromWorker::Ended(words)))), News::Routine));
        let News::Fatal(death) = life.hear(Ok(None)) else { panic!("lives on") };
        assert_eq!(death.error.kind(), Kind::TokenNotFound);
    }

    #[test]
    fn one_ping_at_a_time() {
        let mut life = life();
        life.watch().unwrap();
        let written = life.unwritten.len();
        life.watch().unwrap();
        assert_eq!(life.unwritten.len(), written);
        assert!(matches!(life.hear(pong(Class::Sign, Duration::ZERO)), News::Routine));
        life.watch().unwrap();
        assert_eq!(life.unwritten.len(), 2 * written);
    }
}

//! Clients that each send their next request when the last one is answered.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::appliance::Service;

/// What ends a load.
#[derive(Clone, Copy)]
pub enum Until {
    Sent(u64),
    Passed(Duration),
}

/// What came of a load.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct Outcome {
    /// Answers in a second.
    pub rate: f64,
    pub median: Duration,
    pub p99: Duration,
}

/// Runs a load in which every answer must have the status.
///
/// `request` makes the n-th request.
pub fn run(
    service: &Service,
    clients: usize,
    until: Until,
    status: u16,
    request: impl Fn(u64) -> Vec<u8> + Sync,
) -> Outcome {
    let sent = AtomicU64::new(0);
    let all_connected = Barrier::new(clients + 1);
    let (mut times, elapsed) = thread::scope(|scope| {
        let client = || {
            let mut connection = service.connect();
            let mut times = Vec::new();
            all_connected.wait();
            let started = Instant::now();
            loop {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                let over = match until {
                    Until::Sent(most) => number >= most,
                    Until::Passed(time) => started.elapsed() >= time,
                };
                if over {
                    return times;
                }
                let request = request(number);
                let asked = Instant::now();
                let reply = connection.send(&request);
                times.push(asked.elapsed());
                assert_eq!(reply.status, status, "{}", String::from_utf8_lossy(&reply.body));
            }
        };
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        all_connected.wait();
        let started = Instant::now();
        let times: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        (times, started.elapsed())
    });
    times.sort_unstable();
    Outcome {
        rate: times.len() as f64 / elapsed.as_secs_f64(),
        median: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
    }
}

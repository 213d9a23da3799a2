//! Connections that come and go while something is measured.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The port that they come in by.
pub const SERVED: u16 = 7_001;

/// Connections that are opened and closed at a steady rate, or a byte a time over one of them, by a thread that ends with the
/// value.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    /// `rate` times a second: with `connections` of 1 a byte over one that stays, else a connection.
    pub fn begin(rate: u32, connections: u32) -> Self {
        let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&made));
        let listener = TcpListener::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, SERVED)).expect("an address");
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            let connect = |number: u32| {
                // Of many addresses, so that no port has to be used again soon.
                let last = u8::try_from(number % 200 + 1).expect("small");
                let client = TcpStream::connect((Ipv4Addr::new(127, 2, 0, last), SERVED)).expect("a free port");
                (client, listener.accept().expect("the connection just made").0)
            };
            let mut kept = (connections == 1).then(|| connect(0));
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                match &mut kept {
                    Some((client, server)) => {
                        client.write_all(b"x").expect("it is connected");
                        server.read_exact(&mut [0]).expect("it was sent");
                    }
                    None => drop(connect(number)),
                }
                number += 1;
                counted.store(number, Ordering::Relaxed);
                let due = Duration::from_secs(1) * number / rate;
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
            }
        });
        Self { stop, made, thread: Some(thread) }
    }

    /// Stops, and says how many there were.
    pub fn end(&mut self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it only makes connections");
        }
        self.made.load(Ordering::Relaxed)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.end();
    }
}

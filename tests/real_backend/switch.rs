//! A way to a program that can be cut and mended: whoever comes while it is cut, or is connected then, is cut off.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Stops with the runtime of its test.
pub(crate) struct Switch {
    pub(crate) address: SocketAddr,
    on: watch::Sender<bool>,
}

impl Switch {
    /// The way to an address, open.
    pub(crate) async fn to(program: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (on, is_on) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if *is_on.borrow() {
                    tokio::spawn(pass(stream, program, is_on.clone()));
                }
            }
        });
        Self { address, on }
    }

    pub(crate) fn cut(&self) {
        self.on.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.on.send_replace(true);
    }
}

async fn pass(mut stream: TcpStream, program: SocketAddr, mut is_on: watch::Receiver<bool>) {
    let Ok(mut to) = TcpStream::connect(program).await else { return };
    tokio::select! {
        // either end may go at any time
        _ = copy_bidirectional(&mut stream, &mut to) => {}
        _ = is_on.wait_for(|on| !on) => {}
    }
}

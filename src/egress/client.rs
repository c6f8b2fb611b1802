//! One request to one upstream: at most two tries, one deadline, one reply.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Body as _;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::{HeaderMap, StatusCode, Uri};
use tokio::time::{Instant, timeout_at};

use super::classify::classify;
use super::failure::{Kind, Target, TryError};
use super::oauth2::Tokens;
use super::request::Template;
use super::response::{self, UpstreamResponse};
use super::takes::Takes;
use super::transport::{Http, Transport};
use super::warnings::Warnings;
use super::{EgressError, Outbound, Reply};
use super::{retry_after, secrets};
use crate::clock::{self, Clock, Jitter};
use crate::config::{OnRefusal, OnThrottle, Upstream, UpstreamAuth};
use crate::telemetry::EgressMetrics;
use crate::via::Via;
use crate::wire::Form;

/// Sends requests to one upstream. Shared by all who do; its connections are kept between requests.
pub struct Client {
    target: Target,
    template: Template,
    transport: Transport,
    timeout: Duration,
    on_throttle: OnThrottle,
    takes: Takes,
    max_body_bytes: Option<usize>,
    on_400: OnRefusal,
    secrets: Vec<String>,
    /// Tokens that a server gives, where they are the credentials.
    tokens: Option<Arc<Tokens>>,
    clock: Clock,
    jitter: Jitter,
    metrics: Arc<EgressMetrics>,
    warnings: Warnings,
}

impl Client {
    /// Checks the settings and reads the TLS files. Connects to nothing yet.
    ///
    /// `seed` is for the jitter of `Retry-After` (the same seed gives the same sequence), and what this gate is called on
    /// the way of a request ([`Via`]).
    pub fn new(upstream: &Upstream, metrics: Arc<EgressMetrics>, seed: u64) -> Result<Self, EgressError> {
        let template = Template::new(upstream, Via::new(seed))?;
        let jitter = Jitter::new(seed);
        let tokens = match &upstream.auth {
            UpstreamAuth::OAuth2(oauth2) => Some(Tokens::new(oauth2, upstream, Arc::clone(&metrics))),
            _ => None,
        };
        Ok(Self {
            target: Target::new(&upstream.name, template.uri()),
            transport: Transport::new(upstream, template.uri().scheme(), &jitter)?,
            template,
            timeout: upstream.timeout,
            on_throttle: upstream.on_throttle,
            takes: Takes::new(upstream.protocol, upstream.protocol_retry, Arc::clone(&metrics)),
            max_body_bytes: upstream.max_body_bytes,
            on_400: upstream.on_400,
            secrets: secrets::configured(upstream),
            tokens: tokens.transpose()?.map(Arc::new),
            clock: Clock::system(),
            jitter,
            metrics,
            warnings: Warnings::new(&upstream.name),
        })
    }

    /// Sends one request and says what became of it, within `upstream.timeout`.
    ///
    /// Dropping the future gives the request up and closes its connection; the upstream may have taken it.
    pub async fn send(&self, outbound: Outbound) -> Reply {
        self.send_by(outbound, self.deadline()).await
    }

    /// Whether a header of this name is ours, whatever a sender sends.
    pub fn sets(&self, name: &HeaderName) -> bool {
        self.template.sets(name)
    }

    /// When a request that begins now has to be over.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// As [`Client::send`], for one of several requests that have one deadline together.
    pub async fn send_by(&self, outbound: Outbound, deadline: Instant) -> Reply {
        let Some(uri) = self.template.uri_with(outbound.query.as_deref()) else {
            let excerpt = "the query string cannot be forwarded".to_owned();
            return Reply::Invalid { status: StatusCode::BAD_REQUEST, excerpt, written: None };
        };
        let (reply, failure) = match self.exchange(&uri, &outbound, deadline).await {
            Ok(answer) => {
                let sent = (outbound.form, outbound.counts);
                classify(answer, sent, self.on_throttle, &self.target)
            }
            Err(error) => {
                let failure = error.failure(&self.target);
                let status = StatusCode::SERVICE_UNAVAILABLE;
                (
                    Reply::Unavailable { status, retry_after: None, cause: failure.cause.clone() },
                    Some(failure),
                )
            }
        };
        if let Some(failure) = failure {
            self.warnings.warn(failure.kind, &failure.cause);
        }
        match reply {
            Reply::Unsupported { cause } if !self.takes.falls_back() => {
                self.warnings.warn(Kind::Misconfigured, &cause);
                Reply::Unavailable { status: StatusCode::SERVICE_UNAVAILABLE, retry_after: None, cause }
            }
            reply => {
                // where there was nothing to count an answer says nothing of the form
                let taken = match reply {
                    Reply::Accepted => !outbound.counts.is_zero(),
                    Reply::AcceptedInPart { .. } => true,
                    Reply::Invalid { written, .. } => written.is_some(),
                    _ => false,
                };
                if taken {
                    self.takes.took(outbound.form);
                }
                reply
            }
        }
    }

    /// Compressed bytes of a body at most.
    pub fn max_body_bytes(&self) -> Option<usize> {
        self.max_body_bytes
    }

    /// What becomes of a body of which something is refused.
    pub fn on_400(&self) -> OnRefusal {
        self.on_400
    }

    /// In which form a body goes that is in this one.
    pub fn form(&self, has: Form) -> Form {
        self.takes.form(has, &self.clock)
    }

    /// Whether a body of this form that got this reply is to be sent again in plain: the upstream does not take the form, or has
    /// never taken it, and a refusal may be of the form.
    pub fn tries_plain(&self, form: Form, reply: &Reply) -> bool {
        self.takes.falls_back()
            && match reply {
                Reply::Unsupported { .. } => true,
                Reply::Invalid { written: None, .. } => !self.takes.is_known(form),
                _ => false,
            }
    }

    /// Notes that the upstream took a body in plain that it had not taken in this form.
    pub fn takes_only_plain(&self, form: Form) {
        self.metrics.fallbacks.increment(1);
        if self.takes.refused(form, &self.clock) {
            tracing::info!(
                "{} does not take {form}; remote write 1.0 in snappy goes there, until that is tried again (protocol_retry)",
                self.target
            );
        }
    }

    /// One try, and one more where a kept connection was closed under the first. That is safe: writing a
    /// sample twice with the same time and value changes nothing.
    async fn exchange(
        &self,
        uri: &Uri,
        outbound: &Outbound,
        deadline: Instant,
    ) -> Result<UpstreamResponse, TryError> {
        let kept = self.transport.kept(&self.jitter, &self.metrics.aged);
        let token = self.token(deadline).await?;
        let answer = match self.attempt(&kept, uri, outbound, &token, deadline).await {
            Err(TryError::Client(error)) if self.transport.closed_under_us(&error) => {
                self.metrics.retries.increment(1);
                self.attempt(&self.transport.fresh, uri, outbound, &token, deadline).await
            }
            done => done,
        };
        match (&answer, &self.tokens, &token) {
            (Ok(refused), Some(tokens), Some(token))
                if refused.status == StatusCode::UNAUTHORIZED && tokens.drop_refused(token) =>
            {
                let token = self.token(deadline).await?;
                self.attempt(&kept, uri, outbound, &token, deadline).await
            }
            _ => answer,
        }
    }

    /// The credential of the moment, where there is such.
    async fn token(&self, deadline: Instant) -> Result<Option<HeaderValue>, TryError> {
        let Some(tokens) = &self.tokens else { return Ok(None) };
        let token =
            timeout_at(deadline, tokens.header()).await.map_err(|_| TryError::Timeout(self.timeout))?;
        token.map(Some).map_err(TryError::NoToken)
    }

    async fn attempt(
        &self,
        http: &Http,
        uri: &Uri,
        outbound: &Outbound,
        token: &Option<HeaderValue>,
        deadline: Instant,
    ) -> Result<UpstreamResponse, TryError> {
        let mut request = self.template.request(uri.clone(), outbound, self.metrics.bytes.clone());
        if let Some(token) = token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let mut counted = CountedRequest { metrics: &self.metrics, code: 0, began: clock::monotonic() };
        let response = timeout_at(deadline, http.request(request))
            .await
            .map_err(|_| TryError::Timeout(self.timeout))?
            .map_err(TryError::Client)?;
        let (head, body) = response.into_parts();
        counted.code = head.status.as_u16();
        self.transport.remember(&head.extensions);
        let mut start = Vec::new();
        if !body.is_end_stream() {
            // the status stands, whether or not its text arrives in time
            let _late = timeout_at(deadline, response::drain(body, &mut start)).await;
        }
        Ok(self.answer(head.status, &head.headers, &start, outbound))
    }

    fn answer(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        start: &[u8],
        to: &Outbound,
    ) -> UpstreamResponse {
        let written = response::written(headers);
        if status.is_success() {
            let excerpt = String::new();
            return UpstreamResponse { status, retry_after: None, location: None, excerpt, written };
        }
        let mut secrets = [&self.secrets[..], &secrets::of_sender(to)].concat();
        secrets.extend(self.tokens.as_ref().and_then(|tokens| tokens.secret()));
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        UpstreamResponse {
            status,
            retry_after: text(RETRY_AFTER)
                .and_then(|value| retry_after::parse(value, self.clock.unix_ms()))
                .map(|wait| retry_after::spread(&self.jitter, wait)),
            location: text(LOCATION).and_then(origin),
            excerpt: response::excerpt(start, secrets),
            written,
        }
    }
}

/// Scheme and host of an absolute URL; the rest may hold a token.
fn origin(location: &str) -> Option<String> {
    let uri: Uri = location.parse().ok()?;
    Some(format!(
        "{}://{}{}",
        uri.scheme()?,
        uri.host()?,
        uri.port().map_or(String::new(), |p| format!(":{p}"))
    ))
}

/// Counts a try by its status when it ends, also when it is given up.
struct CountedRequest<'a> {
    metrics: &'a EgressMetrics,
    code: u16,
    began: std::time::Instant,
}

impl Drop for CountedRequest<'_> {
    fn drop(&mut self) {
        self.metrics.answered(self.code, self.began);
    }
}

//! Remote write 2.0, walked, expanded and composed again: nothing panics, what is written can be read, and says the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seriesgate::wire::v1;
use seriesgate::wire::v2::{self, Came, Composer, Field, FieldKind, Fields, References, Symbols};

const MOST: usize = 1 << 20;

/// Where a series stands, and what it is in 1.0.
type Plain = (Field, Vec<u8>);

/// The series of a body in 1.0, those that are not broken; `None` where it is no request, or too long.
fn expanded(body: &[u8]) -> Option<(Symbols, Vec<Plain>)> {
    let mut symbols = Symbols::default();
    symbols.read(body).ok()?;
    let mut series = Vec::new();
    // as they are used: each series is compared with the one before
    let mut references = References::default();
    for field in Fields::new(body) {
        let field = field.ok()?;
        if field.kind != FieldKind::Series {
            continue;
        }
        let mut plain = Vec::new();
        let walked = v2::walk(body, &field, &mut references, |_, _, _| ());
        let expanded = v2::expand((body, &symbols), &field, &mut plain, MOST);
        assert!(walked.is_none() || expanded.is_ok(), "what is walked can be expanded");
        let said = expanded.ok()?.ok()?;
        let inner = v1::Fields::new(&plain).next().expect("a field").expect("that can be read");
        let frame = v1::series(&plain, &inner).expect("what is expanded is a series");
        match walked {
            Some(walked) if !said.broken => {
                assert_eq!(
                    (walked.samples, walked.newest_ms, walked.ends),
                    (frame.samples, frame.newest_ms, frame.ends)
                );
                assert_eq!((frame.histograms, frame.exemplars), (0, 0), "only samples are walked");
                let says = |of: v2::Expanded| (of.start_ms, of.metric_type, of.help, of.unit);
                assert_eq!(says(walked.said), says(said));
                let text = |at: u32| symbols.get(body, u64::from(at)).expect("it is not broken").to_vec();
                let pairs = references.pairs().iter().map(|pair| (text(pair.name), text(pair.value)));
                let kept = pairs.filter(|(name, value)| name.is_empty() || !value.is_empty());
                assert_eq!(kept.collect::<Vec<_>>(), labels(&plain));
            }
            Some(_) => {}
            None => references.clear(),
        }
        if !said.broken {
            series.push((field, plain));
        }
    }
    Some((symbols, series))
}

fuzz_target!(|body: &[u8]| {
    let Some((symbols, series)) = expanded(body) else { return };
    let came = Came { body, symbols: &symbols };
    let plain: Vec<_> = series.iter().map(|(_, plain)| plain.clone()).collect();
    let mut composer = Composer::default();
    for adopt in [false, true] {
        if adopt {
            composer.start_with(came)
        } else {
            composer.start()
        }
        for (field, _) in &series {
            composer.copy(came, field).expect("a series can be copied");
        }
        check(composer.finish(), &plain);
        if adopt {
            composer.start_with(came)
        } else {
            composer.start()
        }
        for (field, _) in &series {
            composer.copy_parts(came, field, None, |_| true).expect("a series can be copied in parts");
        }
        check(composer.finish(), &plain);
    }
    composer.start();
    for plain in &plain {
        let inner = v1::Fields::new(plain).next().expect("a field").expect("that can be read");
        composer.add_v1(&plain[inner.content..inner.end]).expect("a series of 1.0 can be added");
    }
    check(composer.finish(), &plain);
});

/// What was composed is the same series in 1.0. A body without fields is no request, and has none.
fn check(composed: &[u8], wanted: &[Vec<u8>]) {
    let (_, found) = expanded(composed).expect("what is composed can be read");
    let found: Vec<_> = found.into_iter().map(|(_, plain)| plain).collect();
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!(labels(found), labels(wanted));
    }
}

/// All labels of a series of 1.0.
fn labels(plain: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let inner = v1::Fields::new(plain).next().expect("a field").expect("that can be read");
    let run = seriesgate::wire::labels::LabelRun::new(plain, inner.content, inner.end);
    run.map(|label| label.expect("a label"))
        .map(|label| (label.name.to_vec(), label.value.to_vec()))
        .collect()
}

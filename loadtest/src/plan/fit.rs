//! Least squares with coefficients that are not negative: what costs something never saves something.

/// Coefficients, one for each column of `rows`, that come closest to `wanted`, each row weighed by what is wanted of it: so a
/// small run counts as much as a large one.
pub(super) fn fit(rows: &[Vec<f64>], wanted: &[f64]) -> Vec<f64> {
    let columns = rows.first().map_or(0, Vec::len);
    let weighed: Vec<Vec<f64>> = rows
        .iter()
        .zip(wanted)
        .map(|(row, y)| row.iter().map(|x| x / y.abs().max(1e-12)).collect())
        .collect();
    // columns of about the same size, so that rounds are steps of about the same size
    let scale: Vec<f64> = (0..columns)
        .map(|c| weighed.iter().map(|row| row[c] * row[c]).sum::<f64>().sqrt())
        .map(|norm| if norm > 0.0 { norm } else { 1.0 })
        .collect();
    let mut found = vec![0.0; columns];
    let mut left: Vec<f64> = vec![1.0; rows.len()];
    for _ in 0..200_000 {
        let mut moved: f64 = 0.0;
        for c in 0..columns {
            let column = |row: &Vec<f64>| row[c] / scale[c];
            let norm: f64 = weighed.iter().map(|row| column(row).powi(2)).sum();
            if norm == 0.0 {
                continue;
            }
            let gradient: f64 = weighed.iter().zip(&left).map(|(row, left)| column(row) * left).sum();
            let next = f64::max(found[c] + gradient / norm, 0.0);
            let step = next - found[c];
            found[c] = next;
            for (row, left) in weighed.iter().zip(&mut left) {
                *left -= column(row) * step;
            }
            moved = moved.max(step.abs());
        }
        if moved < 1e-12 {
            break;
        }
    }
    found.iter().zip(&scale).map(|(value, scale)| value / scale).collect()
}

/// How far the fit is from each row that it was not fitted to: all of a name are left out together. Shares of what was
/// wanted.
pub(super) fn left_out(rows: &[Vec<f64>], wanted: &[f64], names: &[&str]) -> Vec<f64> {
    let without = |index: usize| {
        let others = |i: &usize| names[*i] != names[index];
        let kept: Vec<usize> = (0..rows.len()).filter(others).collect();
        let kept_rows: Vec<Vec<f64>> = kept.iter().map(|i| rows[*i].clone()).collect();
        let kept_wanted: Vec<f64> = kept.iter().map(|i| wanted[*i]).collect();
        let found = fit(&kept_rows, &kept_wanted);
        let said: f64 = rows[index].iter().zip(&found).map(|(x, c)| x * c).sum();
        (said - wanted[index]).abs() / wanted[index].abs().max(1e-12)
    };
    (0..rows.len()).map(without).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Seed;

    #[test]
    fn coefficients_are_found_and_none_is_negative() {
        let truth = [3.0, 0.0, 0.0002];
        let rows: Vec<Vec<f64>> = (0..12)
            .map(|i| {
                let seed = Seed::new(i);
                vec![seed.child(1).unit(), seed.child(2).unit() * 10.0, seed.child(3).unit() * 1e5]
            })
            .collect();
        let wanted: Vec<f64> =
            rows.iter().map(|row| row.iter().zip(truth).map(|(x, c)| x * c).sum()).collect();
        let found = fit(&rows, &wanted);
        for (found, truth) in found.iter().zip(truth) {
            assert!((found - truth).abs() < 1e-3 * truth.max(1e-2), "{found} {truth}");
        }
        let names: Vec<String> = (0..12).map(|i| format!("{}", i / 2)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(left_out(&rows, &wanted, &names).iter().all(|error| *error < 1e-3));
        let falling = fit(&[vec![1.0, 0.0], vec![1.0, 1.0]], &[2.0, 1.0]);
        assert!(falling[1] == 0.0 && falling[0] > 1.0);
    }
}

// The router of the block mapping: scores of a tile, the k experts of each sample, and the tile's entries (a sample at
// one of its active experts) ordered by expert, so that an inactive expert costs nothing. Paper section 3.1.
#pragma once

#include "rows.hpp"
#include "storage.hpp"
#include "common/math.hpp"

namespace phasegrid::PHASEGRID_MACHINE {

// score[e][s] = G_e . x_s, four samples by four experts at a time.
PG_STAGE void score_samples(BlockStorage s, int samples, BlockTeam team) {
  const int registers = registers_of(s.l.n);
  const int blocks = (s.l.E + 3) / 4, tasks = (samples + 3) / 4 * blocks;
  PG_NO_UNROLL
  for (int task = team.worker(); task < tasks; task += team.workers()) {
    const int first_sample = task / blocks * 4, first_expert = task % blocks * 4;
    FourRows x[1], router[1];
    PG_UNROLL
    for (int i = 0; i < 4; ++i) {
      x[0].row[i] = s.x(first_sample + i);  // a tile has whole fours
      router[0].row[i] = s.parameter_row(smaller(first_expert + i, s.l.E - 1), s.l.router_row());
    }
    Floats sums[16];
    dot_four_by_four(router, x, 4, registers, sums);
    team.sum_sixteen(sums, s.l.E - first_expert,
                     [&](int i) PG_INLINE_LAMBDA { return s.score(first_expert + i) + first_sample; });
  }
  team.barrier();
}

// The best scores of some lanes' samples: the highest, the k-th, and how many are above the k-th. NaN is none of them.
struct TopScores {
  Floats best, kth, above;
};

// The k best so far, in falling order, stay in registers while the experts pass by. k <= most.
template <int most>
PG_INLINE TopScores top_scores(const BlockStorage& s, int first) {
  Floats high[most];
  PG_UNROLL
  for (int i = 0; i < most; ++i) high[i] = bits_float(0xff800000u);  // -inf
  PG_NO_UNROLL
  for (int e = 0; e < s.l.E; ++e) {
    Floats score = load(s.score(e) + first);
    PG_UNROLL
    for (int i = 0; i < most; ++i) {
      const Mask higher = greater(score, high[i]);
      const Floats lower = select(higher, high[i], score);
      high[i] = select(higher, score, high[i]);
      score = lower;
    }
  }
  TopScores top{high[0], high[0], 0.0f};
  PG_UNROLL
  for (int i = 1; i < most; ++i) top.kth = i < s.l.k ? high[i] : top.kth;
  PG_UNROLL
  for (int i = 0; i + 1 < most; ++i) top.above = add_if(greater(high[i], top.kth), Floats(1.0f), top.above);
  return top;
}

// The same for any k: the best that is left is taken k times over. What is left lies in `gate` meanwhile.
PG_INLINE TopScores top_scores_of_many(const BlockStorage& s, int first) {
  const int E = s.l.E;
  const Floats none = bits_float(0xff800000u);  // -inf: taken already
  PG_NO_UNROLL
  for (int e = 0; e < E; ++e) store(s.gate(e) + first, load(s.score(e) + first));
  TopScores top{none, none, 0.0f};
  PG_NO_UNROLL
  for (int rank = 0; rank < s.l.k; ++rank) {
    Floats highest = none, winner = -1.0f;
    PG_NO_UNROLL
    for (int e = 0; e < E; ++e) {
      const Floats left = load(s.gate(e) + first);
      const Mask wins = greater(left, highest);
      highest = select(wins, left, highest);
      winner = select(wins, Floats(static_cast<float>(e)), winner);
    }
    top.best = rank == 0 ? highest : top.best;
    top.above = select(greater(top.kth, highest), Floats(static_cast<float>(rank)), top.above);
    top.kth = highest;
    PG_NO_UNROLL
    for (int e = 0; e < E; ++e) {
      const Floats number = static_cast<float>(e);
      const Mask other = negate(both(not_less(number, winner), not_less(winner, number)));
      store(s.gate(e) + first, select(other, load(s.gate(e) + first), none));
    }
  }
  return top;
}

PG_INLINE TopScores top_scores_of(const BlockStorage& s, int first) {
  if (s.l.k == 1) return top_scores<1>(s, first);
  if (s.l.k == 2) return top_scores<2>(s, first);
  if (s.l.k <= 4) return top_scores<4>(s, first);
  if (s.l.k <= 8) return top_scores<8>(s, first);
  return top_scores_of_many(s, first);
}

// gate[e][s]: P_e over the sum of the active P, exactly 1 for k = 1, and 0 where e is not among the k highest of sample
// s (ties to the lowest expert) or s is beyond the batch.
PG_STAGE void choose_experts(BlockStorage s, int samples, bool balance, BlockTeam team) {
  const int E = s.l.E, k = s.l.k;
  PG_NO_UNROLL
  for (int first = team.thread() * kWidth; first < s.l.tile; first += team.threads() * kWidth) {
    const Mask valid = lanes_below(first, samples);
    const TopScores top = top_scores_of(s, first);
    const Floats ties = Floats(static_cast<float>(k)) - top.above;  // experts of the k-th score that are taken
    Floats tied = 0.0f, active_sum = 0.0f, all = 0.0f, before = 0.0f;
    PG_NO_UNROLL
    for (int e = 0; e < E; ++e) {
      const Floats score = load(s.score(e) + first);
      const Mask enough = not_less(score, top.kth), tie = both(enough, not_less(top.kth, score));
      const Mask active = both(valid, both(enough, negate(both(tie, not_less(tied, ties)))));
      tied = add_if(tie, Floats(1.0f), tied);
      if (k == 1) {
        store(s.gate(e) + first, keep(active, Floats(1.0f)));
      } else {
        const Floats power = exp_of_negative(score - top.best);
        store(s.gate(e) + first, keep(active, power));
        active_sum = add_if(active, power, active_sum);
        store(s.ordinal(e) + first, before);
        before = add_if(active, Floats(1.0f), before);
      }
      if (balance) {
        const Floats power = exp_of_negative(score - top.best);
        store(s.probability(e) + first, power);
        all = all + power;
      }
    }
    PG_NO_UNROLL
    for (int e = 0; e < E; ++e) {
      if (k > 1) {
        const Floats power = load(s.gate(e) + first);
        store(s.gate(e) + first, keep(greater(power, Floats(0.0f)), power / active_sum));
      }
      if (balance) store(s.probability(e) + first, keep(valid, load(s.probability(e) + first) / all));
    }
  }
  team.barrier();
}

// Counts and lists: counts[e], first[e], and of every entry its sample and gate, by expert and then by sample.
PG_STAGE void gather_entries(BlockStorage s, BlockTeam team) {
  const int E = s.l.E;
  PG_NO_UNROLL
  for (int e = team.worker(); e < E; e += team.workers()) {
    int count = 0;
    PG_NO_UNROLL
    for (int base = 0; base < s.l.tile; base += kLanes) {
      team.for_each_group([&](int lane) PG_INLINE_LAMBDA {
        count += team.count(greater(load(s.gate(e) + base + lane), Floats(0.0f)));
      });
    }
    if (Team::rank() == 0) s.counts()[e] = count;
  }
  team.barrier();  // an expert's first entry follows from the counts of those before it
  PG_NO_UNROLL
  for (int e = team.worker(); e < E; e += team.workers()) {
    int first = 0;
    PG_NO_UNROLL
    for (int before = 0; before < e; ++before) first += s.counts()[before];
    if (Team::rank() == 0) {
      s.first()[e] = first;
      if (e == E - 1) s.first()[E] = first + s.counts()[e];
    }
    int at = first;
    PG_NO_UNROLL
    for (int base = 0; base < s.l.tile; base += kLanes) {
      team.for_each_group([&](int lane) PG_INLINE_LAMBDA {
        at = team.append(s.sample(), at, greater(load(s.gate(e) + base + lane), Floats(0.0f)), base + lane);
      });
    }
    if (s.l.k > 1) {
      Team::barrier();  // other lanes wrote the samples
      PG_NO_UNROLL
      for (int p = first + Team::rank(); p < at; p += Team::size()) {
        const int sample = s.sample()[p];
        s.entry_gate()[p] = s.gate(e)[sample];
        s.slots(sample)[static_cast<int>(s.ordinal(e)[sample])] = p;
      }
    }
  }
  team.barrier();
}

// Of the first `samples` samples of the tile: everything the experts need to know.
PG_INLINE void route_tile(const BlockStorage& s, int samples, bool balance, BlockTeam team) {
  score_samples(s, samples, team);
  choose_experts(s, samples, balance, team);
  gather_entries(s, team);
}

}  // namespace phasegrid::PHASEGRID_MACHINE

# make-events.awk - invented viewers of invented films, the same at every run.
#
#   awk -f examples/make-events.awk [-v users=300] [-v seed=7] examples/films.tsv >events.ndjson
#
# Each viewer has two favourite genres and sees six to twenty films in the first week of 2026, mostly of these; what is seen
# is clicked, dwelt on, bought or skipped. films.tsv: item_id, title, genre.
BEGIN {
	FS = "\t"
	if (!users) users = 300
	if (!seed) seed = 7
	state = seed; films = 0
}
# A small generator of our own: awk's differs from one awk to the next.
function rnd(n) {
	state = (state * 16807) % 2147483647
	return state % n
}
!/^#/ {
	id[films] = $1; title[films] = $2; genre[films] = $3; films++
	if (!($3 in count)) genres[ngenres++] = $3
	of[$3, count[$3]++] = films - 1
}
function two(n) { return n < 10 ? "0" n : n }
END {
	for (u = 0; u < users; u++) {
		first[u] = genres[rnd(ngenres)]; second[u] = genres[rnd(ngenres)]
		left[u] = 6 + rnd(15)
	}
	for (minute = 0; minute < 7 * 24 * 60; minute++) {
		u = rnd(users)
		if (!left[u]) continue
		left[u]--
		taste = rnd(10)
		g = taste < 6 ? first[u] : taste < 9 ? second[u] : genres[rnd(ngenres)]
		# Some films are seen by everyone, most by few.
		a = rnd(count[g]); b = rnd(count[g]); f = of[g, a < b ? a : b]
		what = rnd(20)
		type = what < 9 ? "click" : what < 15 ? "dwell" : what < 18 ? "purchase" : "skip"
		printf "{\"event_id\":\"demo-%06d\",\"user_id\":\"viewer_%03d\",\"item_id\":\"%s\",\"event_type\":\"%s\",", ++n, u + 1, id[f], type
		printf "\"timestamp\":\"2026-01-%sT%s:%s:00Z\",", two(5 + int(minute / 1440)), two(int(minute / 60) % 24), two(minute % 60)
		printf "\"metadata\":{\"category\":\"%s\",\"title\":\"%s\"}}\n", genre[f], title[f]
	}
}

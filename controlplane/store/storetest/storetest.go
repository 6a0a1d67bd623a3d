// Package storetest is the contract that every store.Backend passes, and with it every Store.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Run checks a backend. Every call of cluster must be a new name on the same backend.
func Run(t *testing.T, b store.Backend) {
	for name, test := range map[string]func(*testing.T, *env){
		"Txn_WritesAllOrNothing":                         txnAllOrNothing,
		"Watch_SendsEveryChangeInOrder":                  watchOrder,
		"Lease_DeletesItsKeys":                           leaseDeletes,
		"Epochs_AreUniqueThroughDeleteAndRecreate":       epochsUnique,
		"Leader_WritesNothingOnceItsGuardIsGone":         leaderGuard,
		"Leader_OneStaleActionStopsNoOther":              staleAction,
		"StaleEpochs_AreRefusedByTheTransaction":         staleEpoch,
		"EpochsOfAnotherEra_AreRefused":                  otherEra,
		"Connectors_CreateAndUpdateCompare":              connectors,
		"Barrier_SeesWhatAnotherStoreWrote":              barrier,
		"Snapshot_NeverChangesOnceHandedOut":             immutable,
		"Plan_IsDroppedWhereItIsStale":                   planStale,
		"Plan_APermutationIsNoChange":                    planPermutation,
		"TaskSet_ComesBackAsItWasSubmitted":              taskSetRoundTrip,
		"Session_OnlyItsNewestStreamWrites":              sessionStreams,
		"Rebind_OnlyOnceTheOldSessionIsGone":             rebind,
		"TaskSets_OnlyThePresentOneIsKept":               dropTaskSets,
		"TaskSets_OneThatIsBeingWrittenIsKept":           dropOnlyOlder,
		"TaskSets_AnIDNeverNamesTwo":                     taskSetIDs,
		"Names_OfAnyCharactersKeepApart":                 names,
		"TooLarge_IsRefusedWithTheConnectorNamed":        tooLarge,
		"Release_OfAnotherEpochIsNotWritten":             releaseEpoch,
		"ConsumeRelease_LeavesTheMarkOfAnUnfencedBehind": consumeMark,
		"Apply_ReleasesAndGrantsAUnitAtOnce":             releaseAndGrant,
		"SuccessorReady_IsOfTheSuccessorAlone":           successorReady,
		"DeleteConnector_IsNotFoundTwice":                deleteTwice,
		"Statuses_AreGuardedEachByItsEpoch":              statuses,
		"Sessions_OfAnEarlierLifeCanAllBeDeleted":        deleteSessions,
		"Update_WithNothingToWriteWritesNothing":         updateNothing,
		"Lapse_OnlyOnceTheSessionIsGone":                 lapse,
		"Offsets_OneRequestAtATimeOfWhatWasSeen":         offsetsRequested,
		"Offsets_AreGrantedForWhatWasSeenAlone":          offsetsGranted,
		"Offsets_OnlyTheHolderSaysWhatTheyCameTo":        offsetsCompleted,
		"Deleted_StaysUntilTheMirrorHasIt":               deletedStays,
		"HandBack_MirroredIsOfTheMirrorsHolderAlone":     handBack,
	} {
		t.Run(name, func(t *testing.T) { test(t, newEnv(t, b)) })
	}
}

type env struct {
	*store.Store
	t       *testing.T
	b       store.Backend
	cluster string
	guard   store.Guard
}

func newEnv(t *testing.T, b store.Backend) *env {
	e := &env{t: t, b: b, cluster: t.Name()}
	e.Store = e.open()
	key := e.LeaderPrefix() + "/test"
	ok, rev, err := b.Txn(t.Context(), nil, []store.Op{{Key: key, Value: []byte("x")}})
	e.must(err)
	if !ok {
		t.Fatal("a transaction without compares was refused")
	}
	e.guard = store.Guard{Key: key, CreateRevision: rev}
	return e
}

// open returns another store of the same cluster.
func (e *env) open() *store.Store {
	s := store.New(e.b, e.cluster, clock.Real(), slog.New(slog.DiscardHandler))
	e.must(s.Start(e.t.Context()))
	e.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			e.t.Error(err)
		}
	})
	return s
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) is(err, want error) {
	e.t.Helper()
	if !errors.Is(err, want) {
		e.t.Fatalf("error %v, want %v", err, want)
	}
}

// see waits until the view shows what was written.
func (e *env) see() *state.Snapshot {
	e.t.Helper()
	e.must(e.Barrier(e.t.Context()))
	return e.View()
}

func (e *env) session(id string) *state.Session {
	e.t.Helper()
	_, err := e.OpenSession(e.t.Context(), id, &storev1.Session{Executor: id + ":1", Stream: 1, Replica: "r"}, time.Minute)
	e.must(err)
	return e.see().Sessions[id]
}

// grant gives a unit to a session and returns the assignment.
func (e *env) grant(u unit.ID, s *state.Session) *state.Assignment {
	e.t.Helper()
	e.must(e.Apply(e.t.Context(), e.guard, []state.Action{state.Grant{
		Unit: u, SessionMod: s.ModRevision, Value: &storev1.Assignment{Session: s.ID, Executor: s.Value.GetExecutor()},
	}}))
	a := e.see().Assignments[u]
	if a == nil {
		e.t.Fatalf("%s was not granted", u)
	}
	return a
}

func (e *env) connector(name string) *state.Connector {
	e.t.Helper()
	c, err := e.CreateConnector(e.t.Context(), name, &storev1.Connector{Config: config("connector.class", "X", "tasks.max", "2"), ConfigGeneration: 1, Type: sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE})
	e.must(err)
	e.see()
	return c
}

func config(pairs ...string) *sluicev1.Config {
	c := &sluicev1.Config{}
	for i := 0; i < len(pairs); i += 2 {
		v := pairs[i+1]
		c.Entries = append(c.Entries, &sluicev1.ConfigEntry{Key: pairs[i], Value: &v})
	}
	return c
}

func plan(c *state.Connector, a *state.Assignment, seq uint64, tasks ...*sluicev1.Config) store.Plan {
	return store.Plan{Connector: c.Name, Incarnation: c.Incarnation, Generation: c.Value.GetConfigGeneration(), Epoch: a.Epoch, Sequence: seq, Tasks: tasks}
}

func stale(e lease.Epoch) lease.Epoch { e.Revision--; return e }

func key(e *env, s string) string { return fmt.Sprintf("/raw/%s/%s", e.cluster, s) }
